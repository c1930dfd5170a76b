"""Nothing small leaves the vault of a programme on areas or trials either, whichever file one reads."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from workbench import QUARTER, ROOT, Workbench

from assets.releases import latest_edition

AREA = "zqgebied"
OWN_SCRIPT = (ROOT / "reports" / "templates" / "enhance.js").read_text(encoding="utf-8")
HOSTILE = '=1+1<script>alert("x")</script>'


@pytest.fixture(scope="module")
def areas(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """Thirty areas, of which twelve start; three of those have a handful of events, one kind of area has few."""
    bench = Workbench(tmp_path_factory.mktemp("areas"))
    bench.add_plan(
        {
            "programme": "wijken",
            "title": {"nl": "Wijken", "en": "Neighbourhoods"},
            "design": "staggered_areas",
            "source": {"areas": "areas.csv", "area_counts": "counts.csv"},
            "outcomes": {"burglary": {"event": "burglary", "measures": ["rate_ratio", "rate_difference"]}},
            "subgroups": ["kind"],
        }
    )
    chance = random.Random(4)
    names = [f"{AREA}{number:02d}" for number in range(30)]
    starts = {name: "" if i >= 12 else f"202{4 + i % 2}-Q{1 + i % 3}" for i, name in enumerate(names)}
    bench.deliver(
        "wijken",
        "areas.csv",
        ["area_id", "adopted_period", "kind"],
        [[name, starts[name], "few" if i in (0, 1, 2, 12, 13, 14) else "many"] for i, name in enumerate(names)],
    )
    periods = [f"{year}-Q{quarter}" for year in range(2022, 2027) for quarter in range(1, 5)][:19]
    rows = []
    for i, name in enumerate(names):
        usual = 0.15 if i in (0, 1, 2, 12, 13, 14) else 9
        for period in periods:
            count = sum(chance.random() < usual / 40 for _ in range(40))
            rows.append([name, period, "burglary", count, 4000 + 37 * i])
    bench.deliver("wijken", "counts.csv", ["area_id", "period", "outcome", "count", "population"], rows)
    result = bench.refresh("wijken")
    assert (result.exit_code, result.refusal) == (0, "")
    return bench


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """Eight trials, two of them with a small cell, one whose name would run as a formula."""
    bench = Workbench(tmp_path_factory.mktemp("trials"))
    bench.add_plan(
        {
            "programme": "proeven",
            "title": {"nl": "Proeven", "en": "Trials"},
            "design": "pooled_trials",
            "source": {"trials": "trials.csv"},
            "trials": {"measure": "odds_ratio"},
        }
    )
    rows = [
        [HOSTILE, 31, 102, 44, 98],
        ["Small", 3, 17, 7, 19],
        ["None", 0, 41, 5, 40],
        ["Cedar", 63, 211, 91, 204],
        ["Dogwood", 48, 187, 57, 190],
        ["Elm", 23, 71, 31, 77],
        ["Fir", 112, 401, 134, 397],
        ["Gum", 37, 133, 45, 129],
    ]
    columns = ["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison"]
    bench.deliver("proeven", "trials.csv", columns, rows)
    result = bench.refresh("proeven")
    assert (result.exit_code, result.refusal) == (0, "")
    return bench


def released(bench: Workbench, programme: str) -> Path:
    edition = latest_edition(bench.home.releases(programme, QUARTER))
    assert edition is not None
    return edition


def outside_the_vault(bench: Workbench) -> Iterator[Path]:
    for folder in (bench.home.release_root, bench.home.dagster):
        yield from (path for path in folder.rglob("*") if path.is_file())


def tables(edition: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for path in sorted((edition / "tables").glob("*.csv")):
        yield path.stem, pl.read_csv(path, infer_schema_length=None)


def test_no_area_is_named_outside_the_vault(areas: Workbench) -> None:
    leaking = [path.name for path in outside_the_vault(areas) if AREA.encode() in path.read_bytes()]
    assert not leaking


def test_events_are_rounded_and_never_few(areas: Workbench, trials: Workbench) -> None:
    for bench, programme in ((areas, "wijken"), (trials, "proeven")):
        for name, frame in tables(released(bench, programme)):
            for column in (c for c in frame.columns if re.match(r"events_|observed|person_years_", c)):
                values = [float(value) for value in frame[column].drop_nulls() if str(value).strip()]
                assert all(value >= 10 and value % 5 == 0 for value in values), f"{programme} {name}: {column}"


def test_persons_in_trials_are_rounded_and_trials_are_not(trials: Workbench) -> None:
    effects = dict(tables(released(trials, "proeven")))["effects"]
    persons = [value for name in ("n_treated", "n_comparison") for value in effects[name].drop_nulls()]
    assert persons and all(value % 5 == 0 and value >= 10 for value in persons)
    assert 8 in effects["n_clusters_treated"].to_list()


def test_areas_are_counted_as_they_are(areas: Workbench) -> None:
    edition = released(areas, "wijken")
    numbers = dict(tables(edition))["numbers"]
    assert dict(zip(numbers["arm"], numbers["units"], strict=True)) == {"treated": 12, "comparison": 18}
    passport = json.loads((edition / "passport.json").read_text(encoding="utf-8"))
    assert (passport["figures"]["reach"], passport["figures"]["reach_unit"]) == (12, "area")


def test_no_hidden_part_can_be_had_from_the_whole(areas: Workbench) -> None:
    """Take every part that is shown from the whole: what remains must not be one part alone."""
    effects = dict(tables(released(areas, "wijken")))["effects"]
    for key in ("event_time", "cohort", "kind"):
        parts = effects.filter(pl.col("subgroup").str.starts_with(f"{key}="))
        for _, same in parts.group_by("measure", "estimator", "variance", "analysis"):
            hidden = same.filter((pl.col("status") == "suppressed") | pl.col("events_treated").is_null())
            asked = same.filter(pl.col("status") != "not_estimable")
            if 0 < asked.filter(pl.col("status") == "suppressed").height < asked.height:
                assert hidden.height >= 2, key


def test_the_kind_with_few_events_is_hidden(areas: Workbench) -> None:
    effects = dict(tables(released(areas, "wijken")))["effects"]
    few = effects.filter(pl.col("subgroup") == "kind=few")
    assert few.height and few["estimate"].null_count() == few.height
    shown = effects.filter((pl.col("subgroup") == "kind=many") & (pl.col("status") == "shown"))
    assert shown.is_empty(), "with the whole it would give the other away"


def test_a_small_trial_has_no_figures(trials: Workbench) -> None:
    points = {row["trial"]: row for row in dict(tables(released(trials, "proeven")))["trial_effects"].to_dicts()}
    for name in ("Small", "None"):
        assert points[name]["is_suppressed"]
        assert all(points[name][column] is None for column in ("estimate", "conf_low", "events_treated"))
    assert points["Cedar"]["estimate"] is not None


def test_leaving_a_small_trial_out_does_not_give_its_counts(trials: Workbench) -> None:
    effects = dict(tables(released(trials, "proeven")))["effects"]
    for name in ("Small", "None"):
        rows = effects.filter(pl.col("subgroup") == f"without={name}")
        assert all(rows[column].null_count() == rows.height for column in ("events_treated", "events_comparison"))


def test_a_trials_name_is_no_markup_and_no_formula(trials: Workbench) -> None:
    edition = released(trials, "proeven")
    for language in ("nl", "en"):
        html = (edition / f"report.{language}.html").read_text(encoding="utf-8")
        assert HOSTILE not in html
        scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
        assert html.count("<script") == len(scripts) <= 1  # the page's own, if any
        assert all(script.strip() == OWN_SCRIPT.strip() for script in scripts)
    for path in (edition / "tables").glob("*.csv"):
        assert not re.search(r'(?m)(^|,)"?=1', path.read_text(encoding="utf-8")), path.name


def test_exact_counts_are_in_no_file(areas: Workbench, trials: Workbench) -> None:
    """The exact sums of both programmes are in no table and on no page."""
    sums = {"proeven": ("317", "1163", "414", "1154", "1.163", "1,163"), "wijken": ()}
    for bench, programme in ((areas, "wijken"), (trials, "proeven")):
        edition = released(bench, programme)
        for path in [*edition.glob("*.csv"), *(edition / "tables").glob("*.csv"), edition / "passport.json"]:
            text = path.read_text(encoding="utf-8")
            for exact in sums[programme]:
                assert not re.search(rf"(?<![\w.]){re.escape(exact)}(?![\w.])", text), (path.name, exact)
