"""Plans from files: faults with file, line, field, value and way out; hostile YAML; the hash; the bundled plans."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from effectmeter.errors import PlanError, UsageError
from effectmeter.plan_io import load_plan, load_plans, plan_hash, plan_template
from effectmeter.plan_yaml import MAXIMUM_BYTES
from effectmeter.schema import DESIGN_TABLES

PROGRAMMES = Path(__file__).parents[1] / "programmes"

SMALL = """\
programme: small
title: {nl: Klein, en: Small}
design: randomised
source:
  persons: {file: p.csv, columns: {arm: {column: fin, values: {0: comparison, 1.0: treated, 07: treated}}}}
  events: e.csv
adjust_for: {age: numeric}
outcomes:
  arrest: {event: arrest, measures: [risk_ratio]}
"""

# The plan of the data contract, as it is printed there.
CONTRACT = """\
programme: alleen-jij-bepaalt            # [a-z0-9-]; file name, folder, asset group
title: {nl: Alleen jij bepaalt wie je bent, en: You alone decide who you are}
question: {nl: "...", en: "..."}
design: comparison_cohort                # randomised before_after staggered_areas interrupted_series pooled_trials
synthetic: true
programme_life: {from: 2019-01-01, until: }   # time zero must lie in it
source:
  persons: {file: personen.csv, columns: {person_id: pseudoniem, arm: {column: groep, values: {deelnemer: treated, vergelijking: comparison}}}}
  events:  {file: registraties.csv, columns: {event_type: soort}}
arms: {comparison: comparison, treated: [treated]}      # several treated arms: one contrast each
eligibility: {age_at_index: [10, 18]}
adjust_for: {age_at_index: {type: numeric, degree: 1}, sex: categorical, prior_police_contact_24m: numeric}
missing: {tokens: ["", NA], covariates: indicator, max_share: 0.2}     # or: exclude; always reported per arm
strata: block_id                          # fixed effects of a stratified randomisation
pairs: pair_id                            # matched pairs
cluster: site_id
estimand: att                             # itt att ato ate; several: the first is primary
weighting: entropy_balance
follow_up: {months: [12, 24], days: [], waiting_months: 6, until_end: false}
before_after: {before_days: 365, after_days: 365, wash_in_days: 0}
variance: []                              # extra rows with another error: model hc1 hc3 cr0 cr1 cr3
outcomes:
  police_contact: {event: police_contact, measures: [risk_ratio, rate_ratio, hazard_ratio], primary: true}
  conviction:     {event: conviction, measures: [risk_ratio, rate_ratio]}
  serious:        {event: conviction, where: {severity: [serious, very_serious]}, measures: [risk_ratio]}
  wellbeing:      {value: column_name, scale: continuous, better: higher, measures: [mean_difference]}
negative_controls: [victim_registration]
subgroups: [sex]
looks:  {method: confidence_sequence, planned: 8}       # or: alpha_spending, none
claims:
  - {outcome: police_contact, measure: risk_ratio, at_most: 0.5, words: "twee keer minder vaak in contact met de politie", source: "SBO, Een gezamenlijke oproep aan het nieuwe kabinet"}
  - {reach: at_least, value: 1000, words: "meer dan duizend jongeren", source: "idem"}
reference_rates: rates/jeugd.csv          # optional: outcome, sex, age, year, rate_per_1000
disclosure: {minimum_persons: 10, minimum_families: 10, rounding_base: 5}
expectations: {event_rate_per_year: {police_contact: [0.0, 5.0]}, max_rejected: 0.005}
retention_months: 120
"""  # noqa: E501

# The blocks of the designs still to come, as the data contract prints them.
AREAS = """\
programme: areas
title: {nl: A, en: A}
design: staggered_areas
source: {areas: a.csv, area_counts: c.csv}
areas:  {comparison: not_yet_treated, estimator: callaway_santanna, match_on: [], ring: ring, exclude_periods: [2020, 2021-Q1]}
outcomes: {burglary: {event: burglary, measures: [percent_change]}}
"""  # noqa: E501
SERIES = """\
programme: series
title: {nl: A, en: A}
design: interrupted_series
source: {series: s.csv}
series: {start: 2005-01, effect: level, season_length: 12, harmonics: 2, dispersion: quasi, autocorrelation: ar1}
outcomes: {fraud: }
"""
TRIALS = """\
programme: trials
title: {nl: A, en: A}
design: pooled_trials
source: {trials: t.csv}
trials: {methods: [reml_hk, reml_wald, dl_wald, mantel_haenszel], measure: odds_ratio}
"""


def write(folder: Path, text: str, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault_of(folder: Path, text: str) -> str:
    """Return what the reader sees of a plan's faults, without the folder."""
    with pytest.raises(PlanError) as caught:
        load_plan(write(folder, text))
    return str(caught.value).replace(f"{folder}/", "")


def test_the_contract_s_plan_validates_as_printed(tmp_path: Path):
    plan = load_plan(write(tmp_path, CONTRACT, "alleen-jij-bepaalt.yaml"))
    assert plan.programme_life is not None and plan.programme_life.until is None
    assert plan.eligible_range("age_at_index") == (10, 18)
    assert plan.missing.tokens == ["", "NA"]
    assert plan.estimand == ["att"]
    assert plan.expectations.event_rate_per_year == {"police_contact": (0.0, 5.0)}


@pytest.mark.parametrize("text", [AREAS, SERIES, TRIALS], ids=["areas", "series", "trials"])
def test_designs_still_to_come_validate(tmp_path: Path, text: str):
    name = text.split("\n", 1)[0].removeprefix("programme: ")
    plan = load_plan(write(tmp_path, text, f"{name}.yaml"))
    assert plan.programme == name
    if plan.areas is not None:
        assert plan.areas.exclude_periods == ["2020", "2021-Q1"]
    if plan.series is not None:
        assert plan.series.start == "2005-01"


def test_yaml_surprises_are_off(tmp_path: Path):
    text = SMALL.replace(
        "07: treated", "07: treated, no: comparison, on: treated, J: treated, N: comparison, 12:30: treated"
    )
    values = load_plan(write(tmp_path, text)).source["persons"].columns["arm"].values
    assert {key: values[key] for key in ("0", "1", "07", "no", "on", "J", "N", "12:30")} == {
        "0": "comparison",
        "1": "treated",
        "07": "treated",
        "no": "comparison",
        "on": "treated",
        "J": "treated",
        "N": "comparison",
        "12:30": "treated",
    }
    assert load_plan(write(tmp_path, SMALL + "synthetic: yes\n")).synthetic is True


def test_block_texts_and_byte_order_mark(tmp_path: Path):
    text = "\ufeff" + SMALL + "question:\n  nl: >\n    een\n    vraag\n  en: |\n    a\n    question\n"
    question = load_plan(write(tmp_path, text)).question
    assert question is not None and (question.nl, question.en) == ("een vraag", "a question")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "risk_ratio",
            "risk_ration",
            ["small.yaml:9: outcomes.arrest.measures.0: 'risk_ration'", "rate_ratio", "did you mean 'risk_ratio'?"],
        ),
        (
            "design: randomised",
            "design: randomized",
            ["small.yaml:3: design: 'randomized'", "did you mean 'randomised'?"],
        ),
        ("adjust_for", "adjust_fr", ["small.yaml:7: adjust_fr", "did you mean 'adjust_for'?"]),
        (
            "age: numeric",
            "age: numbers",
            ["small.yaml:7: adjust_for.age: 'numbers'", "allowed: numeric, categorical"],
        ),
        ("events: e.csv", "event: e.csv", ["small.yaml:6: source.event", "did you mean 'events'?"]),
        ("{event: arrest,", "{evnt: arrest,", ["small.yaml:9: outcomes.arrest.evnt", "did you mean 'event'?"]),
        ("column: fin,", "colum: fin,", ["small.yaml:5: source.persons.columns.arm.colum", "did you mean 'column'?"]),
        ("title: {nl: Klein, en: Small}", "title: {nl: Klein}", ["small.yaml:2: title.en: 'en' is missing"]),
        ("design: randomised\n", "", ["'design' is missing", "add 'design:'"]),
        ("programme: small", "programme: other", ["small.yaml:1: programme", "small.yaml", "programme: small"]),
        ("programme: small", "programme: Small", ["small.yaml:1: programme: 'Small'", "lower-case letters"]),
        ("age: numeric", "age: [1, 2]", ["small.yaml:7: adjust_for.age", "must be a mapping", "allowed: type, degree"]),
        ("e.csv", "../e.csv", ["small.yaml:6: source.events: must be a file name inside", "'../e.csv'"]),
    ],
)
def test_a_fault_has_an_address_and_a_way_out(tmp_path: Path, old: str, new: str, says: list[str]):
    seen = fault_of(tmp_path, SMALL.replace(old, new, 1))
    for words in says:
        assert words in seen, seen


def test_all_faults_come_at_once(tmp_path: Path):
    text = SMALL.replace("randomised", "random").replace("numeric", "numerical").replace("risk_ratio", "risk")
    with pytest.raises(PlanError) as caught:
        load_plan(write(tmp_path, text))
    assert len(caught.value.faults) == 3


def test_rules_have_lines_too(tmp_path: Path):
    seen = fault_of(tmp_path, SMALL + "claims:\n  - {words: x, outcome: arest, at_most: 0.5}\n")
    assert "small.yaml:11: claims.0.outcome: there is no outcome 'arest'" in seen
    assert "did you mean 'arrest'?" in seen


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the plan is empty"),
        ("# only a comment\n", "the plan is empty"),
        ("- a\n- b\n", "a plan is a mapping"),
        ("just words", "a plan is a mapping"),
        ("a: b: c", "small.yaml:1: not readable as YAML"),
        ("a: [1, 2\nb: 3", "not readable as YAML"),
        ("\ta: 1", "not readable as YAML"),
        ('a: "\x01"', "control characters"),
        (SMALL + "---\n" + SMALL, "small.yaml:10: not readable as YAML"),
        (SMALL + "design: randomised\n", "small.yaml:10: design: 'design' is written twice; the first is on line 3"),
        (SMALL + "? [a, b]\n: c\n", "small.yaml:10: a key must be a single word"),
        (SMALL + "x: !!python/object/apply:os.system [ls]\n", "tags"),
        (SMALL + "x: !custom y\n", "small.yaml:10: not readable as YAML: tags"),
        (SMALL + "x: &a [1]\ny: *a\n", "anchors"),
        (SMALL + "x: *a\n", "aliases"),
        ("[" * 50_000, "nested too deeply"),
        ("a: " + "{a: " * 5_000, "nested too deeply"),
    ],
)
def test_hostile_yaml(tmp_path: Path, text: str, says: str):
    started = time.monotonic()
    assert says in fault_of(tmp_path, text)
    assert time.monotonic() - started < 5


def test_a_bomb_of_aliases_is_refused_before_it_grows(tmp_path: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "anchors" in fault_of(tmp_path, "\n".join(lines))


def test_long_values_are_shortened(tmp_path: Path):
    seen = fault_of(tmp_path, SMALL.replace("design: randomised", f"design: {'x' * 5000}"))
    assert len(seen) < 500


def test_files_that_are_not_plans(tmp_path: Path):
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAXIMUM_BYTES + 1))
    (tmp_path / "utf16.yaml").write_bytes(SMALL.encode("utf-16"))
    (tmp_path / "folder.yaml").mkdir()
    for name, says in [
        ("large", "too large"),
        ("utf16", "not UTF-8"),
        ("folder", "cannot be read"),
        ("none", "cannot be read"),
    ]:
        with pytest.raises(PlanError, match=says):
            load_plan(tmp_path / f"{name}.yaml")


def test_a_folder_gives_all_plans_or_all_faults(tmp_path: Path):
    with pytest.raises(PlanError, match="no plans"):
        load_plans(tmp_path)
    with pytest.raises(PlanError, match="no such folder"):
        load_plans(tmp_path / "nowhere")
    write(tmp_path, SMALL)
    write(tmp_path, SMALL.replace("small", "alpha"), "alpha.yaml")
    assert list(load_plans(tmp_path)) == ["alpha", "small"]
    write(tmp_path, "x: 1", "broken.yaml")
    write(tmp_path, "y: 1", "worse.yaml")
    with pytest.raises(PlanError) as caught:
        load_plans(tmp_path)
    assert "broken.yaml" in str(caught.value) and "worse.yaml" in str(caught.value)


def test_the_hash_sees_content_and_nothing_else(tmp_path: Path):
    reference = plan_hash(load_plan(write(tmp_path, SMALL)))
    same = [
        "# a comment\n" + SMALL,
        SMALL.replace("adjust_for: {age: numeric}", "adjust_for:\n  age: {type: numeric, degree: 1}"),
        SMALL + "arms: {comparison: comparison, treated: treated}\n",
        SMALL + "estimand: [itt]\n",
        SMALL.replace("0: comparison, 1.0: treated, 07: treated", "07: treated, 0: comparison, 1.0: treated"),
    ]
    other = [
        SMALL.replace("risk_ratio", "rate_ratio"),
        SMALL.replace("numeric", "categorical"),
        SMALL + "follow_up: {months: 24}\n",
    ]
    assert {plan_hash(load_plan(write(tmp_path, text))) for text in same} == {reference}
    assert reference not in {plan_hash(load_plan(write(tmp_path, text))) for text in other}


def test_the_hash_sees_which_outcome_is_primary(tmp_path: Path):
    first, second = "  arrest: {event: arrest, measures: [risk_ratio]}\n", "  theft: {event: theft}\n"
    one = plan_hash(load_plan(write(tmp_path, SMALL + second)))
    two = plan_hash(load_plan(write(tmp_path, SMALL.replace(first, second + first))))
    assert one != two


@pytest.mark.parametrize("design", DESIGN_TABLES)
@pytest.mark.parametrize("programme", ["my-programme", "2024", "true", "7-e1"])
def test_a_new_plan_validates_as_it_is(tmp_path: Path, design: str, programme: str):
    plan = load_plan(write(tmp_path, plan_template(design, programme), f"{programme}.yaml"))
    assert (plan.programme, plan.design) == (programme, design)


@pytest.mark.parametrize(
    ("design", "programme"), [("randomized", "x"), ("randomised", "X y"), ("randomised", "../x"), ("randomised", "")]
)
def test_a_new_plan_refuses_unknown_designs_and_names(design: str, programme: str):
    with pytest.raises(UsageError) as caught:
        plan_template(design, programme)
    assert caught.value.exit_code == 2 and caught.value.allowed


def test_bundled_plans():
    plans = load_plans(PROGRAMMES)
    assert {"tarp", "alleen-jij-bepaalt", "integrale-familieaanpak"} <= set(plans)
    assert not plans["tarp"].synthetic
    assert plans["alleen-jij-bepaalt"].synthetic and plans["integrale-familieaanpak"].synthetic
    assert plans["tarp"].follow_up.windows_days == (364,)
    assert len(plans["tarp"].adjust_for) == 6  # with aid itself the seven covariates of the published model
    assert plans["integrale-familieaanpak"].claims[0].measure == "ratio_of_rate_ratios"
    for path in PROGRAMMES.glob("*.yaml"):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first == "# yaml-language-server: $schema=../schemas/plan.schema.json"
