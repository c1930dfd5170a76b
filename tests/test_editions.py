"""One edition after another: nothing small can be had by subtraction, and what is published stays one moment's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import report_findings as made
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.releases import STAGING
from assets.staging import NAME, release_hashes
from effectmeter.disclosure import Rules
from effectmeter.edition_blocks import blocks_of
from effectmeter.editions import Block, Entry, entries_of, reconcile, settle
from effectmeter.findings import Findings, Population
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from effectmeter.release import Passed, pass_gate
from effectmeter.results import EffectRow
from vault.findings import _populations
from vault.ledger import ledger_path, read_ledger, write_ledger

RULES = Rules()
NEXT = Quarter(2026, 4)


def block(n: int, events: int, *, families: int | None = None, key: str = "effects|c|o|365||", **more: str) -> Block:
    return Block(
        key=key,
        groups={"treated": (n, families)},
        cells={"n:treated:r": n, "e:treated:r": events},
        content=({"n": n, "events": events},),
        **more,
    )


def published(steps: list[Block]) -> tuple[list[str], list[Entry]]:
    """Return the states of a block over quarters, and the ledger."""
    ledger: list[Entry] = []
    states = []
    for number, each in enumerate(steps):
        decisions = settle([each], ledger, f"{2020 + number // 4}-Q{1 + number % 4}", RULES)
        states.append(decisions[each.key].state)
        ledger += entries_of(decisions, release=str(number), plan_hash="p")
    return states, ledger


def test_a_few_newcomers_are_not_told_of_and_ten_are() -> None:
    states, _ = published([block(60, 20), block(63, 21), block(69, 23), block(72, 31)])
    assert states == ["new", "held", "held", "renewed"]


def test_the_quarter_of_a_change_does_not_depend_on_who_had_an_event() -> None:
    """Events reach ten when one person joins; they are told of only when ten people have joined since."""
    states, _ = published([block(60, 20), block(71, 29), block(72, 30), block(80, 31), block(81, 31)])
    assert states == ["new", "held", "held", "held", "renewed"]


def test_events_that_stand_still_while_the_group_grows_are_not_told_of() -> None:
    assert published([block(60, 20), block(75, 20)])[0] == ["new", "held"]


def test_newcomers_who_nearly_all_had_an_event_are_not_told_of() -> None:
    def risk(n: int, events: int) -> Block:
        return replace(block(n, events), cells={"n:treated:risk_ratio|": n, "e:treated:risk_ratio|": events})

    assert published([risk(60, 20), risk(72, 31)])[0] == ["new", "held"], "eleven of twelve"
    assert published([risk(60, 20), risk(82, 31)])[0] == ["new", "renewed"]


def test_one_who_left_and_one_who_joined_are_not_told_of() -> None:
    """Sixty persons then and now: of rates, twelve events more would be the one newcomer's."""

    def of(n: int, events: int, who: str | None) -> Block:
        return replace(block(n, events), groups={"treated": (n, None, who)})

    assert published([of(60, 20, "a"), of(60, 32, "b"), of(60, 32, "b")])[0] == ["new", "held", "held"]
    assert published([of(60, 20, "a"), of(60, 32, "a")])[0] == ["new", "renewed"], "the same people, followed longer"
    assert published([of(60, 20, "a"), of(60, 20, "b")])[0] == ["new", "held"], "not even that nothing changed"
    assert published([of(60, 20, "a"), of(75, 32, "b")])[0] == ["new", "renewed"]
    assert published([of(60, 20, None), of(60, 32, "a")])[0] == ["new", "held"], "an entry of an older version"


def test_a_block_knows_its_people_or_those_of_the_whole_it_is_part_of() -> None:
    plan, findings = made.trial()
    rows = [row for row in findings.effects if row.subgroup is None]
    outcome, window = rows[0].outcome, rows[0].window_days
    arms = (plan.arms.treated[0], plan.arms.comparison)
    part = replace(rows[0], analysis="subgroup", subgroup="sex=f")
    everyone = Population(arm="", outcome=None, window_days=None, subgroup=None, fingerprint="")
    people = [replace(everyone, arm=arm, fingerprint=f"all {arm}") for arm in arms]
    people += [replace(each, outcome=outcome, window_days=window, fingerprint=f"q {each.arm}") for each in people]
    people.append(replace(people[2], subgroup="sex=f", fingerprint="f"))
    found = blocks_of(replace(findings, effects=(*rows, part), populations=tuple(people)), plan, RULES)
    groups = {each.key: each.groups for each in found}
    (of_part,) = [key for key in groups if key.startswith("effects|") and "sex=f" in key]
    of_whole = next(key for key in groups if key == of_part.replace("sex=f", ""))
    assert [groups[of_part][role][2:] for role in ("treated", "comparison")] == [("f",), (f"q {arms[1]}",)]
    assert groups[of_whole]["treated"][2:] == (f"q {arms[0]}",)
    curves = [groups[key] for key in groups if key.startswith("curves|")]
    assert curves and all(group[2:] == (f"all {arm}",) for curve in curves for arm, group in curve.items())


def test_the_vault_tells_apart_who_is_behind_a_question_and_its_parts_but_not_in_which_order() -> None:
    plan = made.trial_plan().model_copy(update={"subgroups": ["sex"]})

    def people(ids: str, *, complete: str = "abcde") -> dict[tuple[str | None, ...], str]:
        with duckdb.connect() as connection:
            connection.execute("create schema cohort; create schema outcomes")
            rows = ", ".join(f"('{n:09d}-{x * 16}', 'treated', '{'mf'[x in 'bd']}')" for n, x in enumerate(ids))
            connection.execute(f"create table cohort.persons as from (values {rows}) as t(person_id, arm, sex)")
            connection.execute(
                "create table outcomes.person_windows as select person_id, 'arrest' as outcome, "
                f"365::bigint as window_days, contains('{complete}', right(person_id, 1)) as is_complete "
                "from cohort.persons"
            )
            found = _populations(connection, plan)
        return {(each.outcome, each.subgroup): each.fingerprint for each in found}

    one = people("abcd")
    assert one == people("dbca"), "the number in front of a pseudonym is of this quarter's order"
    assert set(one) == {(of, part) for of in (None, "arrest") for part in (None, "sex=m", "sex=f")}
    swapped = people("abce")  # d, a woman, left; e, a man, joined
    assert all(swapped[key] != one[key] for key in one)
    shorter = people("abcd", complete="abc")
    assert {key for key in one if shorter.get(key) != one[key]} == {("arrest", None), ("arrest", "sex=f")}


def test_ten_persons_from_two_families_are_held() -> None:
    states, _ = published([block(60, 20, families=19), block(72, 31, families=21), block(92, 41, families=30)])
    assert states == ["new", "held", "renewed"]


def test_a_count_that_comes_back_is_set_against_all_that_was_published() -> None:
    states, _ = published([block(60, 20), block(80, 40), block(62, 22), block(60, 20)])
    assert states[:3] == ["new", "renewed", "held"]


def test_parts_change_with_their_whole_and_all_at_once() -> None:
    def release(total: tuple[int, int], men: tuple[int, int], women: tuple[int, int]) -> list[Block]:
        whole = block(*total)
        parts = {"m": men, "f": women}
        return [
            whole,
            *(
                block(*counts, key=f"effects|c|o|365|sex={sex}|", parent=whole.key, siblings="sex")
                for sex, counts in parts.items()
            ),
        ]

    ledger = entries_of(
        settle(release((100, 40), (60, 25), (40, 15)), [], "2026-Q1", RULES), release="1", plan_hash="p"
    )
    grown = settle(release((115, 52), (72, 36), (43, 16)), ledger, "2026-Q2", RULES)
    assert [decision.state for decision in grown.values()] == ["renewed", "held", "held"]
    still = settle(release((104, 41), (74, 36), (30, 5)), ledger, "2026-Q2", RULES)
    assert [decision.state for decision in still.values()] == ["held", "held", "held"]


def test_a_renamed_or_redefined_outcome_is_not_set_beside_what_it_was() -> None:
    _, ledger = published([block(60, 20)])
    renamed = block(61, 21, key="effects|c|another name|365||")
    assert settle([renamed], ledger, "2026-Q2", RULES)[renamed.key].state == "withheld"
    same = block(60, 20, key="effects|c|another name|365||")
    assert settle([same], ledger, "2026-Q2", RULES)[same.key].state == "new"


def test_a_release_that_was_never_published_leaves_no_trace() -> None:
    _, ledger = published([block(60, 20), block(80, 40)])
    kept = reconcile(ledger, ["0"], [])
    assert [(entry.release, entry.is_confirmed) for entry in kept] == [("0", True)]
    assert [entry.release for entry in reconcile(ledger, ["0"], ["1"])] == ["0", "1"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(-6, 30), st.integers(0, 20)), min_size=1, max_size=15))
def test_any_two_publications_differ_by_nothing_or_by_enough(steps: list[tuple[int, int]]) -> None:
    n, events, course = 60, 30, []
    for joined, had in steps:
        n, events = max(n + joined, 30), min(events + had, max(n + joined, 30))
        course.append(block(n, events))
    _, ledger = published(course)
    shown = [entry for entry in ledger if entry.is_published]
    counts = [json.loads(entry.cells) for entry in shown]
    for i, one in enumerate(counts):
        for other in counts[i + 1 :]:
            for name in one:
                step = abs(one[name] - other[name])
                assert step == 0 or step >= RULES.minimum_persons
            assert one["n:treated:r"] == other["n:treated:r"] or one["e:treated:r"] != other["e:treated:r"]


def grown(findings: Findings, n: int, events: int) -> Findings:
    """Return the trial with more treated persons and events, in every table that counts them."""
    effects = tuple(
        replace(row, n_treated=(row.n_treated or 0) + n, events_treated=(row.events_treated or 0) + events)
        for row in findings.effects
    )
    numbers = tuple(
        replace(entry, persons=(entry.persons or 0) + n) if entry.arm == "treated" else entry
        for entry in findings.numbers
    )
    attrition = tuple(
        replace(step, n_before=step.n_before + n, n_after=step.n_after + n) if step.arm == "treated" else step
        for step in findings.attrition
    )
    return replace(findings, effects=effects, numbers=numbers, attrition=attrition, curves=())


def first_edition() -> tuple[Findings, Passed, list[Entry]]:
    plan, findings = made.trial()
    findings = replace(findings, curves=())
    passed = pass_gate(findings, plan, made.QUARTER)
    return findings, passed, passed.entries(release="1", plan_hash="p")


def later(findings: Findings, quarter: Quarter) -> Findings:
    rows = (replace(row, quarter=str(quarter), figures_of=str(quarter)) for row in findings.effects)
    return replace(findings, effects=tuple(rows))


def test_the_whole_release_repeats_what_may_not_change() -> None:
    plan = made.trial_plan()
    findings, first, ledger = first_edition()
    second = pass_gate(later(grown(findings, 3, 2), NEXT), plan, NEXT, ledger)
    assert {row.quarter for row in second.cleared.rows} == {str(NEXT)}, "the quarter of the folder"
    assert {row.figures_of for row in second.cleared.rows} == {str(made.QUARTER)}, "whose figures are repeated"
    repeated = tuple(replace(row, quarter=str(made.QUARTER)) for row in second.cleared.rows)
    assert repeated == first.cleared.rows
    for name in ("numbers", "attrition", "balance"):
        assert second.cleared.tables[name].equals(first.cleared.tables[name]), name
    assert second.entries(release="2", plan_hash="p") == []
    third = pass_gate(later(grown(findings, 40, 20), NEXT), plan, NEXT, ledger)
    assert {(row.quarter, row.figures_of) for row in third.cleared.rows} == {(str(NEXT), str(NEXT))}
    assert third.cleared.rows[0].n_treated == 255


def test_a_second_run_of_a_quarter_gives_the_same_release() -> None:
    plan = made.trial_plan()
    findings, first, ledger = first_edition()
    again = pass_gate(findings, plan, made.QUARTER, ledger)
    assert all(again.cleared.tables[name].equals(table) for name, table in first.cleared.tables.items())
    assert again.cleared.facts == first.cleared.facts and again.entries(release="2", plan_hash="p") == []


def test_a_gate_that_fails_now_hides_old_figures_too() -> None:
    plan = made.trial_plan()
    findings, _, ledger = first_edition()
    now = later(grown(findings, 3, 2), NEXT)
    hidden = tuple(replace(row, status="hidden", reason="x", reason_nl="x") for row in now.effects)
    passed = pass_gate(replace(now, effects=hidden), plan, NEXT, ledger)
    assert {row.status for row in passed.cleared.rows} == {"hidden"}
    assert all(row.estimate is None and row.n_treated in {215, None} for row in passed.cleared.rows)


def test_a_row_that_is_new_to_a_question_waits_for_new_people() -> None:
    plan = made.trial_plan()
    findings, _, ledger = first_edition()
    now = later(grown(findings, 3, 2), NEXT)
    extra = replace(now.effects[0], estimator="another", analysis="sensitivity")
    passed = pass_gate(replace(now, effects=(*now.effects, extra)), plan, NEXT, ledger)
    added: EffectRow = passed.cleared.rows[-1]
    assert (added.status, added.estimate, added.n_treated) == ("suppressed", None, None)


def test_the_ledger_lies_encrypted_beside_the_vaults(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_ledger(home, "p") == ()
    _, ledger = published([block(60, 20), block(80, 40)])
    write_ledger(home, "p", ledger)
    assert list(read_ledger(home, "p")) == ledger
    path = ledger_path(home, "p")
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"effects|c|o" not in path.read_bytes() and b"treated" not in path.read_bytes()


def test_a_release_waits_for_others_of_its_programme_and_knows_what_they_published(tmp_path: Path) -> None:
    home, other = Home(tmp_path), Quarter(2026, 2)
    edition = home.releases("p", other) / "001"
    edition.mkdir(parents=True)
    (edition / "passport.json").write_text('{"content_hash": "there"}', encoding="utf-8")
    for quarter, content in ((other, "waits"), (NEXT, "is replaced")):
        staging = home.releases("p", quarter) / STAGING
        staging.mkdir(parents=True)
        (staging / NAME).write_text(json.dumps({"passport": {"content_hash": content}}), encoding="utf-8")
    assert release_hashes(home, "p", NEXT) == ({"there"}, {"waits"})
