"""One edition after another: what was published is remembered, so that no two editions can be subtracted.

Here: the ledger's entries, and `settle`, which decides of every block of a release (an effects question, a curve, the
way from delivered to analysed) whether it is published anew or repeated as it last was. Pure: entries in, decisions and
entries out. Not here: which findings make a block (`effectmeter.edition_blocks`), nor where the ledger lies
(`vault.ledger`).

The rule has two halves, and each alone would leak.

*When* a block may change is decided by people alone: only when both groups are, since the block was last looked at,
the very same people, or have at least the smallest cell more (or fewer) persons and families. As many as before who are
not the same may be one who left and one who joined: then the block stays. Were it decided by events, the quarter in
which a total jumps would tell that somebody who joined in that quarter had one.

*Whether* it then changes is decided by its counts: against everything that was ever published of it, each count must
differ by at least the smallest cell; an arm in which nobody and nothing changed may stay. A count of events that stands
still while its group grows would say that nobody who joined had one, and one that grows nearly as much as its group
would say that nearly all did: those without an event are a cell as well.

References
----------
Kenthapadi, Mishra and Nissim (2005), Simulatable auditing, PODS, doi:10.1145/1065167.1065183: a refusal that depends on
what is kept secret tells of it. Hundepool et al. (2012), Statistical Disclosure Control, section 5.7 on linked tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from effectmeter.disclosure import Rules

State = Literal["new", "renewed", "same", "held", "withheld"]
"""Published for the first time; published anew; nothing changed; repeated although something changed; not published."""

Group = tuple[float | None, float | None] | tuple[float | None, float | None, str | None]
Groups = Mapping[str, Group]
"""Persons and families per group, None where there are none; and who they are, as a fingerprint that tells no names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger: a block as it was published, or as it was looked at without publishing.

    Attributes
    ----------
    release
        Content hash of the release that it went out with.
    is_confirmed
        Whether that release is known to exist; an unconfirmed one may have been killed before it was published.
    is_published
        False: only looked at, so that the next look comes after the next ten people.
    groups, cells, shown, content
        JSON. True counts per group; true counts per cell; the same as published, null where masked; what to repeat.
    """

    block: str
    quarter: str
    release: str
    plan_hash: str
    is_confirmed: bool
    is_published: bool
    groups: str
    cells: str
    shown: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is published together, with the true counts behind it.

    Attributes
    ----------
    cells
        True counts by name ``kind:arm:rest``. Kinds: ``n`` persons or families, ``e`` events or persons with one,
        ``x`` a count that is of no group of people (events in a period, rows of a check).
    content
        Plain records from which the block is made again.
    parent
        The block that this one is a part of: a part changes only together with its whole.
    siblings
        Blocks with the same name here change together or not at all: their sum is another block's count.
    """

    key: str
    groups: Groups = field(default_factory=dict)
    cells: Mapping[str, float] = field(default_factory=dict)
    content: Sequence[Mapping[str, Any]] = ()
    parent: str = ""
    siblings: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a block: its state, what is published of it, and since which quarter that stands."""

    block: Block
    state: State
    content: tuple[Mapping[str, Any], ...]
    quarter: str
    is_looked_at: bool = False


def settle(blocks: Sequence[Block], ledger: Sequence[Entry], quarter: str, rules: Rules) -> dict[str, Decision]:
    """Return per block what is published of it.

    Parameters
    ----------
    blocks
        Of the release to come, with their true counts.
    ledger
        Oldest first.

    Examples
    --------
    >>> first = Block(key="b", groups={"t": (60, None)}, cells={"n:t:": 60, "e:t:": 20}, content=({"e": 20},))
    >>> entries = entries_of(settle([first], [], "2026-Q1", Rules()), release="r", plan_hash="p")
    >>> more = Block(key="b", groups={"t": (63, None)}, cells={"n:t:": 63, "e:t:": 21}, content=({"e": 21},))
    >>> found = settle([more], entries, "2026-Q2", Rules())["b"]
    >>> found.state, found.content, found.quarter
    ('held', ({'e': 20},), '2026-Q1')
    >>> most = Block(key="b", groups={"t": (80, None)}, cells={"n:t:": 80, "e:t:": 31}, content=({"e": 31},))
    >>> settle([most], entries, "2026-Q3", Rules())["b"].state
    'renewed'
    """
    histories: dict[str, list[Entry]] = {}
    for entry in ledger:
        histories.setdefault(entry.block, []).append(entry)
    present = {block.key for block in blocks}
    gone = [entry for entry in ledger if entry.is_published and entry.block not in present]
    states: dict[str, State] = {}
    looked: set[str] = set()
    for block in blocks:
        history = histories.get(block.key, [])
        states[block.key] = _state(block, history, gone, rules)
        if history and states[block.key] != "same" and _is_tick(block.groups, _groups(history[-1]), rules):
            looked.add(block.key)
    _change_together(blocks, states)
    return {
        block.key: _decision(block, states[block.key], histories.get(block.key, []), quarter, block.key in looked)
        for block in blocks
    }


def entries_of(
    decisions: Mapping[str, Decision],
    *,
    release: str,
    plan_hash: str,
    shown: Mapping[str, Mapping[str, float | None]] | None = None,
) -> list[Entry]:
    """Return what the ledger has to remember of a release: everything published anew, and what was looked at."""
    entries = []
    for key, decision in decisions.items():
        is_published = decision.state in {"new", "renewed"}
        if not is_published and not decision.is_looked_at:
            continue
        entries.append(
            Entry(
                block=key,
                quarter=decision.quarter,
                release=release,
                plan_hash=plan_hash,
                is_confirmed=False,
                is_published=is_published,
                groups=json.dumps(decision.block.groups, sort_keys=True),
                cells=json.dumps(decision.block.cells, sort_keys=True) if is_published else "{}",
                shown=json.dumps((shown or {}).get(key, {}), sort_keys=True) if is_published else "{}",
                content=json.dumps(list(decision.content), ensure_ascii=False) if is_published else "[]",
            )
        )
    return entries


def reconcile(ledger: Sequence[Entry], published: Iterable[str], waiting: Iterable[str] = ()) -> list[Entry]:
    """Return the ledger with what became of its last releases: confirmed, still on its way, or never published.

    A release and its entries are two writes, and a process may be killed between them. The entries are written first;
    the next run looks which releases there are.

    Parameters
    ----------
    published
        Content hashes of every edition of the programme that exists.
    waiting
        Content hashes of releases that wait to be published.

    Examples
    --------
    >>> entry = Entry(block="b", quarter="2026-Q1", release="r", plan_hash="p", is_confirmed=False, is_published=True,
    ...               groups="{}", cells="{}", shown="{}", content="[]")
    >>> [e.is_confirmed for e in reconcile([entry], ["r"])], reconcile([entry], []), len(reconcile([entry], [], ["r"]))
    ([True], [], 1)
    """
    there, still = set(published), set(waiting)
    result = []
    for entry in ledger:
        if entry.is_confirmed or entry.release in still:
            result.append(entry)
        elif entry.release in there:
            result.append(replace(entry, is_confirmed=True))
    return result


def _state(block: Block, history: Sequence[Entry], gone: Sequence[Entry], rules: Rules) -> State:
    """Return what a block's own history allows."""
    published = [entry for entry in history if entry.is_published]
    if not published:
        return "withheld" if any(_is_nearly(block, entry, rules) for entry in gone) else "new"
    last = published[-1]
    if dict(block.cells) == json.loads(last.cells) and _as_groups(block.groups) == _groups(last):
        return "same"
    if not _is_tick(block.groups, _groups(history[-1]), rules):
        return "held"
    return "renewed" if all(_is_far(block.cells, json.loads(entry.cells), rules) for entry in published) else "held"


def _is_tick(now: Groups, then: Groups, rules: Rules) -> bool:
    """Return whether no small number of people has joined or left any group since a block was last looked at.

    Examples
    --------
    >>> [_is_tick({"t": (n, f)}, {"t": (60, 20)}, Rules()) for n, f in ((60, 20), (63, 21), (75, 24), (75, 31))]
    [True, False, False, True]
    >>> [_is_tick({"t": (60, None, who)}, {"t": (60, None, "a")}, Rules()) for who in ("a", "b")]
    [True, False]
    """
    for name in {*now, *then}:
        *before, who_before = _whole(then.get(name, (None, None)))
        *after, who_after = _whole(now.get(name, (None, None)))
        if after[0] == before[0] and who_after != who_before:
            return False  # as many joined as left, and that may be one
        steps = [
            (0.0 if a is None or b is None else abs(a - b), least)
            for a, b, least in zip(after, before, (rules.minimum_persons, rules.minimum_families), strict=True)
        ]
        has_families = after[1] is not None and before[1] is not None
        if any(0 < step < least for step, least in steps):
            return False
        if has_families and bool(steps[0][0]) != bool(steps[1][0]):
            return False  # ten persons more from no family more are some family's, and so the other way round
    return True


def _is_far(now: Mapping[str, float], then: Mapping[str, float], rules: Rules) -> bool:
    """Return whether no difference between two publications of a block is a small cell.

    What is masked both times, or once, tells no difference: "fewer than ten" is ten counts wide.

    Examples
    --------
    >>> then = {"n:t:": 60, "e:t:": 20}
    >>> [_is_far({"n:t:": n, "e:t:": e}, then, Rules()) for n, e in ((75, 31), (75, 24), (75, 20), (60, 31), (60, 20))]
    [True, False, False, True, True]
    """
    least = rules.minimum_persons
    both = [name for name in now if name in then and (now[name] >= least or least <= 1) and then[name] >= least]
    moved = {_arm(name) for name in now if name in then and now[name] != then[name]}
    for name in both:
        step = abs(now[name] - then[name])
        if 0 < step < least:
            return False
        if step == 0 and name.startswith("e:") and _arm(name) in moved and least > 1:
            return False
        group = f"n{name[1:]}"
        if name.startswith("e:") and name.split(":", 2)[2].startswith(_RISKS) and group in now and group in then:
            others = abs((now[group] - now[name]) - (then[group] - then[name]))
            if now[group] != then[group] and others < least:
                return False
    return True


_RISKS = ("risk_ratio", "odds_ratio", "risk_difference", "hazard_ratio")
"""Measures whose events are persons: those without one are a cell as well."""


def _arm(name: str) -> str:
    return name.split(":", 2)[1]


def _is_nearly(block: Block, entry: Entry, rules: Rules) -> bool:
    """Return whether a block without a history is nearly one that was published under another name.

    An outcome that was renamed or defined a little otherwise can be subtracted from what it was.
    """
    kind = block.key.partition("|")[0]
    if entry.block.partition("|")[0] != kind or kind not in {"effects", "curves"}:
        return False
    now, then = sorted(block.cells.items()), sorted(json.loads(entry.cells).items())
    mine, theirs = ([(name.split(":", 2)[:2], value) for name, value in part] for part in (now, then))
    if not mine or len(mine) != len(theirs) or [name for name, _ in mine] != [name for name, _ in theirs]:
        return False
    steps = [abs(a - b) for (_, a), (_, b) in zip(mine, theirs, strict=True)]
    return bool(0 < max(steps) < rules.minimum_persons)


def _change_together(blocks: Sequence[Block], states: dict[str, State]) -> None:
    """Hold parts back that would change without their whole, or without each other."""
    members: dict[str, list[Block]] = {}
    for block in blocks:
        if block.siblings:
            members.setdefault(block.siblings, []).append(block)
    is_settled = False
    while not is_settled:
        before = dict(states)
        for block in blocks:
            whole = states.get(block.parent, "new")
            if whole in {"held", "withheld"} or (whole == "same" and states[block.key] == "renewed"):
                _keep(block.key, states)
        for group in members.values():
            found = {states[block.key] for block in group}
            if found & {"held", "withheld"} and found & {"renewed", "new"}:
                for block in group:
                    _keep(block.key, states)
        is_settled = before == states


def _keep(key: str, states: dict[str, State]) -> None:
    kept: dict[State, State] = {"renewed": "held", "new": "withheld"}
    states[key] = kept.get(states[key], states[key])


def _decision(block: Block, state: State, history: Sequence[Entry], quarter: str, is_looked_at: bool) -> Decision:
    published = [entry for entry in history if entry.is_published]
    if state in {"new", "renewed"}:
        return Decision(block=block, state=state, content=tuple(block.content), quarter=quarter)
    if state == "withheld":
        return Decision(block=block, state=state, content=(), quarter=quarter)
    last = published[-1]
    is_of_people = any(not name.startswith("x:") for name in block.cells)
    if state == "same" and (last.quarter == quarter or not is_of_people):
        # a second run of the quarter, or figures that rest on no people: what was mended since may show
        return Decision(block=block, state=state, content=tuple(block.content), quarter=quarter)
    return Decision(
        block=block,
        state=state,
        content=tuple(json.loads(last.content)),
        quarter=last.quarter,
        is_looked_at=is_looked_at and _groups(history[-1]) != _as_groups(block.groups),
    )


def _groups(entry: Entry) -> dict[str, Group]:
    return _as_groups(json.loads(entry.groups))


def _as_groups(groups: Groups) -> dict[str, Group]:
    return {name: _whole(group) for name, group in groups.items()}


def _whole(group: Group) -> tuple[float | None, float | None, str | None]:
    persons, families, *who = group
    return persons, families, who[0] if who else None
