"""More deliveries that break software, design by design: what is known beforehand must come out, or a reason.

Each goes through the chain's own steps, as a researcher's would. The simpler ones are in `test_public_hard_cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformity import assert_conforms
from workbench import Workbench, minimal_plan, rows_where

Found = dict[str, list[dict[str, Any]]]
Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


def run(
    folder: Path, plan: dict[str, Any], tables: dict[str, Table], *, delimiter: str = ",", contrasts: int = 1
) -> Found:
    """Deliver, estimate and return what the vault then holds."""
    bench = Workbench(folder)
    bench.add_plan(plan)
    for file, (header, rows) in tables.items():
        bench.deliver(plan["programme"], file, header, rows, delimiter=delimiter)
    bench.estimate(plan["programme"])
    found = bench.effects(plan["programme"])
    assert_conforms(found, contrasts=contrasts)
    return found


def primary(found: Found) -> dict[str, Any]:
    (row,) = rows_where(found["effects"], analysis="primary")
    return row


def months(after: float, *, n: int = 60, start: int = 36) -> list[list[Any]]:
    """Return about 800 a month from January 2010 with a season, and `after` times as many from the start on."""
    rng = np.random.default_rng(3)
    rows = []
    for t in range(n):
        mean = 800 * np.exp(0.003 * t + 0.1 * np.sin(np.pi * t / 6)) * (after if t >= start else 1)
        rows.append([f"{2010 + t // 12}-{t % 12 + 1:02d}", "fraud", int(rng.poisson(mean)), 360_000 + 100 * t])
    return rows


def series_plan(**more: Any) -> dict[str, Any]:
    return {
        "programme": "month",
        "title": "Months",
        "design": "interrupted_series",
        "source": {"series": "series.csv"},
        "series": {"start": "2013-01", "season_length": 12, "harmonics": 2, "autocorrelation": "none"},
        "outcomes": {"fraud": {"measures": ["level_ratio", "percent_change"]}},
        "looks": {"method": "none"},
        "claims": [{"outcome": "fraud", "measure": "level_ratio", "at_most": 0.1, "words": "almost gone"}],
    } | more


SERIES = ("period", "outcome", "count", "population")


def test_a_large_series_that_falls_to_nothing_has_a_bound(tmp_path: Path) -> None:
    """Where thousands were to be expected the bound lies far below the first guess at it."""
    found = run(tmp_path, series_plan(), {"series.csv": (SERIES, months(0.0))})
    row = primary(found)
    assert (row["estimate"], row["conf_low"], row["status"]) == (0, None, "shown")
    assert 0 < row["conf_high"] < 0.01
    assert found["claims"][0]["ruling"] == "supported"


def test_the_pretended_start_that_is_told_of_is_the_worst(tmp_path: Path) -> None:
    found = run(tmp_path, series_plan(), {"series.csv": (SERIES, months(0.8))})
    tried = [row["estimate"] for row in rows_where(found["effects"], analysis="placebo")]
    worst = max(tried, key=lambda ratio: abs(np.log(ratio)))
    (gate,) = rows_where(found["gates"], gate="placebo_period")
    assert gate["status"] == "passed"
    assert gate["figure"].startswith(f"{worst:.2f} ")
    assert len(set(tried)) > 1


def test_periods_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    """A month without its population is left out where other months have one, and not in silence."""
    rows = months(0.8)
    rows[0][3] = ""
    found = run(tmp_path, series_plan(), {"series.csv": (SERIES, rows)})
    (gate,) = rows_where(found["gates"], gate="periods")
    assert gate["figure"].startswith("35 before, 24 after, 1 delivered but not usable")


def pairs(events: dict[str, list[int]]) -> dict[str, Table]:
    """Return pairs by who had an event: `both`, `treated`, `comparison`, `neither`, as lists of pair numbers."""
    persons, registered = [], []
    for kind, numbers in events.items():
        for number in numbers:
            for arm in ("treated", "comparison"):
                person = f"{arm[0]}{number}"
                persons.append([person, arm, 365, f"k{number}"])
                if kind in ("both", arm):
                    registered.append([person, "arrest", 30])
    return {
        "persons.csv": (("person_id", "arm", "follow_up_days", "pair_id"), persons),
        "events.csv": (("person_id", "event_type", "event_day"), registered),
    }


def pair_plan(**more: Any) -> dict[str, Any]:
    outcomes = {"arrest": {"event": "arrest", "measures": ["risk_ratio", "odds_ratio"]}}
    return minimal_plan("pair", pairs="pair_id", outcomes=outcomes, **more)


def test_matched_pairs_are_what_a_hand_makes_of_four_cells(tmp_path: Path) -> None:
    """18 pairs with both, 21 with the treated alone, 41 with the other alone, 70 with neither."""
    cells = {"both": 18, "treated": 21, "comparison": 41, "neither": 70}
    edges = np.cumsum([0, *cells.values()])
    tables = pairs({kind: list(range(edges[i], edges[i + 1])) for i, kind in enumerate(cells)})
    found = run(tmp_path, pair_plan(), tables)
    by_measure = {row["measure"]: row for row in rows_where(found["effects"], estimator="mcnemar")}
    ratio, odds, gap = (by_measure[name] for name in ("risk_ratio", "odds_ratio", "risk_difference"))
    assert ratio["estimate"] == pytest.approx(39 / 59)
    assert ratio["std_error"] == pytest.approx(np.sqrt(62 / (39 * 59)))
    assert odds["estimate"] == pytest.approx(21 / 41)
    assert odds["std_error"] == pytest.approx(np.sqrt(1 / 21 + 1 / 41))
    assert gap["estimate"] == pytest.approx(-20 / 150)
    assert gap["std_error"] == pytest.approx(np.sqrt(62 - 20**2 / 150) / 150)


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_without_any_event_no_row_speaks_of_a_bound(tmp_path: Path, design: str) -> None:
    plan = pair_plan(design=design)
    plan["outcomes"]["arrest"]["measures"] += ["rate_ratio", "hazard_ratio"]
    found = run(tmp_path, plan, pairs({"neither": list(range(80))}))
    assert {row["status"] for row in found["effects"]} == {"not_estimable"}
    assert not [row["reason"] for row in found["effects"] if "bound" in row["reason"]]


def mcnemar(found: Found, contrast: str = "treated vs comparison") -> dict[str, dict[str, Any]]:
    rows = rows_where(found["effects"], estimator="mcnemar", contrast=contrast)
    return {row["measure"]: row for row in rows}


@pytest.mark.parametrize(("kind", "words"), [("treated", ""), ("both", "alike"), ("lost", "no pairs")])
def test_pairs_that_cannot_tell_say_so(tmp_path: Path, kind: str, words: str) -> None:
    """Nobody of one arm with an event; all pairs alike; a plan that asks for pairs of which none was delivered."""
    tables = pairs({"both" if kind == "lost" else kind: list(range(50)), "neither": list(range(50, 90))})
    if kind == "lost":
        header, persons = tables["persons.csv"]
        tables["persons.csv"] = (header, [[*row[:3], ""] for row in persons])
    rows = mcnemar(run(tmp_path, pair_plan(), tables))
    assert rows["risk_ratio"]["status"] == "not_estimable"
    if kind == "treated":
        assert rows["odds_ratio"]["estimate"] is None
        assert rows["odds_ratio"]["conf_low"] > 10
    else:
        assert words in rows["risk_ratio"]["reason"]


def test_of_a_larger_set_nobody_is_picked_as_the_pair(tmp_path: Path) -> None:
    """Which member would count depended on the order of the file; members of a third arm counted as well."""
    tables = pairs({"both": list(range(10)), "treated": list(range(10, 30)), "comparison": list(range(30, 75))})
    header, persons = tables["persons.csv"]
    extra = [[f"x{number}", "comparison", 365, f"k{number}"] for number in range(5)]
    third = [[f"y{number}", "other", 365, f"k{number}"] for number in range(75)]
    arms = {"comparison": "comparison", "treated": ["treated", "other"]}
    rows = []
    for number, order in enumerate(([*persons, *extra, *third], [*third, *extra, *persons])):
        found = run(
            tmp_path / str(number), pair_plan(arms=arms), tables | {"persons.csv": (header, order)}, contrasts=2
        )
        rows.append(mcnemar(found))
    assert rows[0] == rows[1]
    assert rows[0]["risk_ratio"]["n_treated"] == 70
    assert rows[0]["risk_ratio"]["estimate"] == pytest.approx(25 / 50)


def test_rings_excluded_periods_and_hc1_are_least_squares_with_dummies(tmp_path: Path) -> None:
    """A block treated, one next to it, one further, and far away; one start; decimal commas; rows in any order."""
    rng = np.random.default_rng(1)
    n, n_periods, left_out = 80, 9, 4
    ring = np.full(n, -1)
    ring[:12], ring[12:30], ring[30:50] = 0, 1, 2
    block, period = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(1, n_periods + 1), indexing="ij"))
    value = rng.poisson(0.4 + rng.gamma(0.5, 0.3, n)[block]) * rng.choice([0.25, 0.5, 1.0], n * n_periods)
    shuffled = rng.permutation(n * n_periods)
    rows = [[f"b{block[i]}", period[i], "theft", str(value[i]).replace(".", ",")] for i in shuffled]
    areas = [[f"b{i}", "5" if ring[i] == 0 else "", "" if ring[i] < 0 else ring[i]] for i in range(n)]
    columns = {
        "areas": {"area_id": "blok", "adopted_period": "start", "ring": "afstand"},
        "area_counts": {"area_id": "blok", "period": "maand", "outcome": "soort", "value": "diefstal"},
    }
    plan = {
        "programme": "police",
        "title": "Police",
        "design": "staggered_areas",
        "source": {name: {"file": f"{name}.csv", "columns": names} for name, names in columns.items()},
        "areas": {
            "comparison": "never_treated",
            "estimator": "twoway_fe",
            "ring": "ring",
            "exclude_periods": [str(left_out)],
        },
        "outcomes": {"theft": {"measures": ["mean_difference"]}},
        "variance": ["hc1"],
        "looks": {"method": "none"},
    }
    tables: dict[str, Table] = {
        "areas.csv": (("blok", "start", "afstand"), areas),
        "area_counts.csv": (("blok", "maand", "soort", "diefstal"), rows),
    }
    found = run(tmp_path, plan, tables, delimiter=";")
    use = period != left_out
    y, b, t = value[use], block[use], period[use]
    started = [(ring[b] == distance) & (t >= 5) for distance in range(3)]
    X = np.column_stack([*started, *(b == i for i in range(n)), *(t == i for i in np.unique(t)[1:])]).astype(float)
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    scores = X * (y - X @ beta)[:, None]
    errors = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse) * len(y) / (len(y) - X.shape[1]))
    assert primary(found)["estimate"] == pytest.approx(beta[0], abs=1e-8)
    for distance, subgroup in enumerate((None, "ring=1", "ring=2")):
        (row,) = rows_where(found["effects"], estimator="twoway_fe", variance="hc1", subgroup=subgroup)
        assert row["estimate"] == pytest.approx(beta[distance], abs=1e-8)
        assert row["std_error"] == pytest.approx(errors[distance], abs=1e-8)
