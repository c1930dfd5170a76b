"""Plans: every shorthand of the contract, the defaults that hang on the design, the rules between fields."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from effectmeter.plan import Plan, month_days, prior_count
from effectmeter.plan_io import plan_content
from effectmeter.plan_rules import RulesError


def plan(**fields: Any) -> Plan:
    """Return a small valid plan with these fields in place."""
    return Plan.model_validate(
        {
            "programme": "my-programme",
            "title": "My programme",
            "design": "randomised",
            "source": {"persons": "persons.csv", "events": "events.csv"},
            "outcomes": {"arrest": {}},
        }
        | fields
    )


def broken(**fields: Any) -> dict[str, str]:
    """Return the rules that a plan breaks: dotted address -> what is wrong."""
    with pytest.raises(ValidationError) as caught:
        plan(**fields)
    error = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(error, RulesError), caught.value
    return {".".join(map(str, rule.path)): rule.what for rule in error.broken}


def test_shorthands_are_written_out():
    short = plan(
        adjust_for={"sex": "categorical", "age": {"type": "numeric", "degree": 2}, "mar": None},
        arms={"comparison": "control", "treated": "therapy"},
        estimand="itt",
        variance="hc1",
        follow_up={"months": 12, "days": [364]},
        outcomes={"serious": {"event": "conviction", "where": {"severity": "high"}, "measures": "risk_ratio"}},
        eligibility={"region": "north", "age_at_index": [10, 18], "index_date": ["2020-01-01", date(2021, 1, 1)]},
        negative_controls="victim",
        claims=None,
    )
    assert short.source["persons"].file == "persons.csv"
    assert [(c.type, c.degree) for c in short.adjust_for.values()] == [
        ("categorical", 1),
        ("numeric", 2),
        ("numeric", 1),
    ]
    assert short.contrasts == (("therapy", "therapy vs control"),)
    assert short.estimand == ["itt"] and short.variance == ["hc1"]
    assert short.follow_up.windows_days == (365, 364)
    assert short.outcomes["serious"].where == {"severity": ["high"]}
    assert short.outcomes["serious"].measures == ["risk_ratio"]
    assert short.eligible_range("region") is None
    assert short.eligible_range("age_at_index") == (10, 18)
    assert short.eligible_range("index_date") == (date(2020, 1, 1), date(2021, 1, 1))
    assert short.claims == []
    assert short.negative_control_outcomes["victim"].event == "victim"


def test_two_texts_are_values_and_not_a_range():
    assert plan(eligibility={"region": ["a", "b"]}).eligible_range("region") is None
    assert plan(eligibility={"site": ["10", "18"]}).eligible_range("site") is None
    assert plan(eligibility={"x": [True, False]}).eligibility == {"x": ["true", "false"]}


@pytest.mark.parametrize(
    ("design", "estimand", "measures"),
    [
        ("randomised", ["itt"], ["risk_ratio"]),
        ("comparison_cohort", ["att", "ato"], ["risk_ratio"]),
        ("before_after", ["att"], ["ratio_of_rate_ratios", "rate_ratio"]),
    ],
)
def test_defaults_that_hang_on_the_design(design: str, estimand: list[str], measures: list[str]):
    written = plan(design=design, outcomes={"arrest": {}, "score": {"value": "score"}})
    assert written.estimand == estimand
    assert written.outcomes["arrest"].event == "arrest"
    assert written.outcomes["arrest"].measures == measures
    assert written.outcomes["score"].measures == ["mean_difference"]
    assert written.outcomes["score"].event is None


def test_the_first_outcome_is_primary_unless_another_is():
    assert plan(outcomes={"b": {}, "a": {}}).primary_outcome == "b"
    assert plan(outcomes={"b": {}, "a": {"primary": True}}).primary_outcome == "a"
    assert [o.primary for o in plan(outcomes={"b": {}, "a": {"primary": True}}).outcomes.values()] == [False, True]


@pytest.mark.parametrize(
    ("values", "delivered", "ours"),
    [
        ({0: "no", 1: "aid"}, "1", "aid"),
        ({0.0: "no", 1.0: "aid"}, "1", "aid"),
        ({"1.0": "aid"}, "1", "aid"),
        ({"1.0": "aid"}, "1.0", "aid"),
        ({"01": "aid"}, "01", "aid"),
        ({True: "aid"}, "true", "aid"),
        ({"J": True, "N": False}, "J", "true"),
        ({"9": None}, "9", ""),
        ({date(2020, 1, 2): "x"}, "2020-01-02", "x"),
    ],
)
def test_value_sets_match_delivered_texts(values: dict[Any, Any], delivered: str, ours: str):
    source = {"file": "p.csv", "columns": {"sex": {"column": "geslacht", "values": values}}}
    columns = plan(source={"persons": source, "events": "e.csv"}).source["persons"].columns
    assert columns["sex"].values[delivered] == ours


def test_a_plan_survives_being_written_and_read():
    written = plan(
        programme_life={"from": "2019-01-01", "until": None},
        eligibility={"index_date": ["2020-01-01", "2021-01-01"]},
        claims=[{"outcome": "arrest", "at_most": 0.5, "words": "half"}],
        expectations={"event_rate_per_year": {"arrest": [0, 5]}},
    )
    again = Plan.model_validate(plan_content(written))
    assert again == written
    assert again.claims[0].measure == "risk_ratio"
    assert again.programme_life is not None and again.programme_life.until is None


def test_plans_do_not_share_defaults():
    plan().missing.tokens.append("-9")
    plan().adjust_for["age"] = plan(adjust_for={"age": "numeric"}).adjust_for["age"]
    assert plan().missing.tokens == ["", "NA"]
    assert plan().adjust_for == {}


@pytest.mark.parametrize(
    ("fields", "address", "says"),
    [
        ({"source": {"events": "e.csv"}}, "source", "needs table 'persons'"),
        ({"source": {"persons": "p.csv"}}, "source", "need one of the tables events, person_counts"),
        ({"source": {"persons": "p.csv", "events": "e", "trials": "t"}}, "source.trials", "does not read"),
        ({"outcomes": {}}, "outcomes", "at least one outcome"),
        (
            {"outcomes": {"a": {"primary": True}, "b": {"primary": True}}},
            "outcomes.b.primary",
            "one outcome is primary",
        ),
        ({"outcomes": {"a": {"event": "a", "value": "a"}}}, "outcomes.a.value", "not both"),
        ({"outcomes": {"a": {"value": "a", "where": {"s": "x"}}}}, "outcomes.a.where", "selects events"),
        ({"outcomes": {"a": {"measures": "mean_difference"}}}, "outcomes.a.measures.0", "'value' column"),
        ({"outcomes": {"a": {"measures": "level_ratio"}}}, "outcomes.a.measures.0", "does not belong"),
        ({"outcomes": {"a": {"measures": "ratio_of_rate_ratios"}}}, "outcomes.a.measures.0", "does not belong"),
        ({"negative_controls": ["arrest"]}, "outcomes.arrest.primary", "negative control"),
        ({"arms": {"comparison": "a", "treated": ["a", "b"]}}, "arms.treated", "cannot be treated as well"),
        ({"arms": {"treated": ["b", "b"]}}, "arms.treated", "named twice"),
        ({"adjust_for": {"exit_date": "numeric"}}, "adjust_for.exit_date", "not known at time zero"),
        ({"subgroups": "arm"}, "subgroups.0", "does not make subgroups"),
        ({"cluster": "person_id"}, "cluster", "cannot be the cluster"),
        ({"design": "comparison_cohort", "estimand": "itt"}, "estimand", "randomised"),
        ({"areas": {}}, "areas", "belongs to design staggered_areas"),
        ({"programme_life": {"from": "2020-01-01", "until": "2019-01-01"}}, "programme_life.until", "ends before"),
        ({"eligibility": {"age_at_index": [18, 10]}}, "eligibility.age_at_index", "ends before"),
        ({"eligibility": {"age_at_index": []}}, "eligibility.age_at_index", "lets nobody in"),
        (
            {"expectations": {"event_rate_per_year": {"arrests": [0, 1]}}},
            "expectations.event_rate_per_year.arrests",
            "no outcome or event type",
        ),
        (
            {"expectations": {"event_rate_per_year": {"arrest": [2, 1]}}},
            "expectations.event_rate_per_year.arrest",
            "lowest and a highest",
        ),
        ({"disclosure": {"minimum_persons": 5}}, "disclosure.minimum_persons", "looser"),
        ({"disclosure": {"rounding_base": 1, "reason": " "}}, "disclosure.rounding_base", "looser"),
    ],
)
def test_rules_between_fields(fields: dict[str, Any], address: str, says: str):
    assert says in broken(**fields)[address]


@pytest.mark.parametrize(
    ("claim", "address", "says"),
    [
        ({"outcome": "arest", "at_most": 0.5}, "claims.0.outcome", "no outcome 'arest'"),
        ({"outcome": "arrest", "measure": "rate_ratio", "at_most": 0.5}, "claims.0.measure", "not measured by"),
        ({"outcome": "arrest"}, "claims.0", "exactly one of at_most and at_least"),
        ({"outcome": "arrest", "at_most": 0.5, "at_least": 0.1}, "claims.0", "exactly one"),
        ({"outcome": "arrest", "at_most": 0}, "claims.0", "says nothing"),
        ({"at_most": 0.5}, "claims.0.outcome", "needs the outcome"),
        ({"outcome": "arrest", "at_most": 0.5, "value": 3}, "claims.0.value", "goes with 'reach'"),
        ({"reach": "at_least"}, "claims.0.value", "how many"),
        ({"reach": "at_least", "value": 10, "outcome": "arrest"}, "claims.0", "not both"),
    ],
)
def test_claims(claim: dict[str, Any], address: str, says: str):
    assert says in broken(claims=[{"words": "less"} | claim])[address]


def test_a_claim_may_be_about_the_difference_beside_a_ratio():
    assert plan(claims=[{"words": "w", "outcome": "arrest", "measure": "risk_difference", "at_most": 0}]).claims


def test_looser_disclosure_with_a_reason():
    assert plan(disclosure={"minimum_persons": 5, "reason": "agreed with the supplier"}).disclosure.minimum_persons == 5


def test_all_broken_rules_come_at_once():
    assert set(broken(subgroups="arm", cluster="arm", areas={})) == {"subgroups.0", "cluster", "areas"}


def test_arm_values_must_reach_the_arms():
    source = {"persons": {"file": "p", "columns": {"arm": {"column": "g", "values": {"A": "treated"}}}}, "events": "e"}
    assert "comparison" in broken(source=source)["source.persons.columns.arm.values"]
    assert plan(source=source, design="before_after")  # a change without a comparison may be described


def test_a_near_miss_of_a_standard_column_is_a_fault_and_a_used_column_is_not():
    def source(column: str) -> dict[str, Any]:
        return {"persons": {"file": "p", "columns": {column: "x"}}, "events": "e"}

    assert "source.persons.columns.birthyear" in broken(source=source("birthyear"))
    assert plan(source=source("birthyear"), adjust_for={"birthyear": "numeric"})
    assert plan(source=source("school_absence"))
    closed = {"persons": "p", "events": "e", "absences": {"file": "a", "columns": {"why": "x"}}}
    assert "source.absences.columns.why" in broken(source=closed)


def test_prior_counts_need_events():
    counted = {"persons": "p", "person_counts": "c"}
    assert "adjust_for.prior_arrest_12m" in broken(source=counted, adjust_for={"prior_arrest_12m": "numeric"})
    assert prior_count("prior_police_contact_24m") == ("police_contact", 24)
    assert prior_count("prior_arrest_m") is None and prior_count("age") is None


def test_months_become_days():
    assert [month_days(months) for months in (6, 12, 24)] == [182, 365, 730]
    assert plan().follow_up.windows_days == (365,)
    assert plan(follow_up={"until_end": True}).follow_up.windows_days == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"programme": "A b"},
        {"programme": "../x"},
        {"programme": "x\n"},
        {"programme": "-x"},
        {"source": {"persons": "/etc/passwd", "events": "e"}},
        {"source": {"persons": "a/../../b", "events": "e"}},
        {"source": {"persons": "", "events": "e"}},
        {"reference_rates": "../rates.csv"},
        {"follow_up": {"days": [True]}},
        {"follow_up": {"days": [0]}},
        {"follow_up": {"waiting_months": -1}},
        {"programme_life": {"from": 0}},
        {"missing": {"max_share": float("nan")}},
        {"looks": {"planned": 0}},
        {"outcomes": {"a;b": {}}},
        {"outcomes": {"a=b": {}}},
        {"arms": {"treated": ["a;b"]}},
        {"arms": {"treated": []}},
        {"cluster": "a\x00b"},
        {"unknown": 1},
        {"adjust_for": ["age"]},
        {"adjust_for": {"age": {"degree": 9}}},
    ],
)
def test_fields_refuse_what_cannot_be_meant(fields: dict[str, Any]):
    with pytest.raises(ValidationError):
        plan(**fields)


def test_a_plan_is_frozen():
    with pytest.raises(ValidationError):
        plan().design = "before_after"  # type: ignore[misc]
