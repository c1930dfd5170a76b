"""Writes docs/validation.md from what was measured on known worlds. Here: tables and sentences. No measuring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from effectmeter.shapes import SHAPES
from effectmeter.worlds.judged import Tally
from effectmeter.worlds.planted import LOOKS, PlantedWorld, draw_study
from effectmeter.worlds.planted_worlds import planted_world, planted_worlds

if TYPE_CHECKING:
    from worlds import Cell, Measured

LEAST_COVERAGE = 0.93
MOST_FALSE_CLAIMS = 0.05
LEAST_SEEN = 0.95
ENOUGH_PERSONS = 1000
"""Persons, or families, at which gates must see what is wrong; other units: at the largest size."""
_FEWEST_SHOWN = 20  # studies with a number, below which their coverage is not told

INTRODUCTION = f"""# Validation on known worlds

Made by `make worlds` (`benchmarks/worlds.py`); not written by hand. Each *world* is a way in which a programme, its
participants and its delivery may be, with a truth that we planted ourselves. From each world many studies are drawn,
and each goes through everything that decides what a reader sees: comparison, estimate, gates, hiding, verdict, claims.
Then what was said is held against what is true.

* **sound** worlds: the analysis is right. Intervals must hold the truth in at least {100 * LEAST_COVERAGE:.0f} % of
  the studies that are shown. In no more than {100 * MOST_FALSE_CLAIMS:.0f} % of useless programmes may anybody ever
  read "fewer" at one of {LOOKS} quarterly looks.
* **broken** worlds: the analysis is wrong, and the delivery can show it. The gates named there must fail or warn in at
  least {100 * LEAST_SEEN:.0f} % of the studies with {ENOUGH_PERSONS:,} persons or more. What they do in smaller studies
  is stated.
* **unseen** worlds: the analysis is wrong, and no gate can know from such a delivery. They are here because a reader
  must know what no gate protects against.

Threats are planted with about the strength that a verdict calls important: alone they move a ratio to about 0.67 or
1.5. Every figure has its Monte-Carlo error (one standard error) behind ±. In **bold**: a figure that misses its
requirement. Errors and lengths are on the logarithmic scale for ratios. The *verdict interval* is the one that verdicts
and claims read: it holds over all quarterly looks.
"""

MADE = """## How this was made

`make worlds` runs what is missing and rewrites this page; it may be stopped at any moment and goes on where it was
(`.cache/worlds`). `python benchmarks/worlds.py --only comparison_cohort --size 1000` runs a part; `--fresh` measures
again what an earlier version of the method gave; `--quick` runs one size of every world; `--page` only rewrites this
page. Each study has its own seed from design, world, size and number, so that figures depend on neither the order nor
the number of processes. A reduced set blocks in the tests: `tests/test_known_worlds.py`. Worlds that go through the
whole chain, one per verdict and ruling: `tests/test_golden_worlds.py`.
"""

REMARKS: dict[str, str] = {
    "comparison_cohort/last_year": (
        "The placebo period cannot be used where the last year's events decide who takes part: participants then had "
        "more of them by construction. The study is sound and is hidden."
    ),
    "staggered_areas/growing_twoway": "Two-way fixed effects miss a growing effect, as is known; the defaults do not.",
}
"""What a reader should know about a world's figures."""


def page(known: dict[Cell, Measured], method: str) -> str:
    """Return the page.

    Parameters
    ----------
    known
        Every cell with at least one study.
    method
        Fingerprint of the method now; figures of another one are said to be older.
    """
    parts = [
        INTRODUCTION,
        *_summary(known),
        *_planted(),
        *_sound(known),
        *_not_sound(known, "broken"),
        *_not_sound(known, "unseen"),
        *_looks(known),
        *_power(known),
        *_made(known, method),
    ]
    return "\n".join(parts).rstrip() + "\n"


@cache
def truth_of(address: str) -> float:
    """Return the planted value (of a small study, where it hangs a little on the draw)."""
    world = planted_world(address)
    return draw_study(world, world.sizes[0], 0).truth


def is_useless(address: str) -> bool:
    """Return whether a world's programme does nothing."""
    return truth_of(address) in (0.0, 1.0)


def figure(value: float, digits: int = 2) -> str:
    """Return a number as printed; a dash for none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def percent(share: float, error: float | None = None, *, bold: bool = False) -> str:
    """Return a share in per cent with its Monte-Carlo error."""
    if not math.isfinite(share):
        return "-"
    text = f"{100 * share:.1f}" + (f" ±{100 * error:.1f}" if error is not None and math.isfinite(error) else "")
    return f"**{text}**" if bold else text


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    heads = list(columns)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join([*lines, ""])


def misses_coverage(tally: Tally) -> bool:
    """Return whether fewer than the least share of shown intervals hold the truth."""
    return tally.share("held", "shown") < LEAST_COVERAGE


def is_certain(share: float, error: float, bound: float, *, above: bool) -> bool:
    """Return whether a share is beyond a bound by more than twice its Monte-Carlo error."""
    return share - 2 * error > bound if above else share + 2 * error < bound


def judged(known: dict[Cell, Measured], kind: str, mode: str = "end") -> Iterator[tuple[Cell, PlantedWorld, Tally]]:
    """Yield cells of a kind of world, with their sums."""
    for cell, found in known.items():
        world = planted_world(cell.address)
        if world.kind == kind and cell.mode == mode:
            yield cell, world, found.tally


def told_coverage(known: dict[Cell, Measured]) -> list[tuple[Cell, Tally]]:
    """Return the cells of sound worlds in which enough studies are shown."""
    return [(cell, tally) for cell, _, tally in judged(known, "sound") if tally.count["shown"] >= _FEWEST_SHOWN]


def below_coverage(known: dict[Cell, Measured]) -> list[tuple[Cell, Tally]]:
    """Return those in which fewer than the least share of intervals hold the truth."""
    return [(cell, tally) for cell, tally in told_coverage(known) if misses_coverage(tally)]


def same_gates(known: dict[Cell, Measured], cell: Cell, world: PlantedWorld) -> float:
    """Return how often the gates that watch a world fail or warn in the design's sound world of the same size.

    The largest share of one gate, which for one watched gate is exact.
    """
    other = next(
        (c for c in known if (c.address, c.size, c.mode) == (f"{world.design}/no_effect", cell.size, "end")), None
    )
    if other is None:
        return math.nan
    tally = known[other].tally
    return max(tally.share(f"gate:{name}:failed") + tally.share(f"gate:{name}:warned") for name in world.watched)


def _summary(known: dict[Cell, Measured]) -> list[str]:
    broken = list(judged(known, "broken"))
    shown, low = told_coverage(known), below_coverage(known)
    sure = [
        (cell, tally)
        for cell, tally in low
        if is_certain(tally.share("held", "shown"), tally.error_of("held", "shown"), LEAST_COVERAGE, above=False)
    ]
    looks = [(cell, tally) for cell, _, tally in judged(known, "sound", "looks") if is_useless(cell.address)]
    false = [(cell, tally) for cell, tally in looks if tally.share("effective") > MOST_FALSE_CLAIMS]
    large = [(cell, tally) for cell, world, tally in broken if cell.size >= enough_to_see(world)]
    unseen = [(cell, tally) for cell, tally in large if tally.share("seen") < LEAST_SEEN]
    crashed = sum(found.tally.count["crashed"] for found in known.values())
    studies = sum(found.tally.n for found in known.values())
    lowest = min((tally.share("held", "shown") for _, tally in shown), default=math.nan)
    highest = max((tally.share("effective") for _, tally in looks), default=math.nan)
    least = min((tally.share("seen") for _, tally in large), default=math.nan)
    rows = [
        (
            f"ordinary 95 % interval holds in >= {100 * LEAST_COVERAGE:.0f} % of shown studies of sound worlds",
            f"{len(shown) - len(low)} of {len(shown)} cells; lowest {percent(lowest)} %; {len(sure)} below by more "
            "than twice the Monte-Carlo error",
            _verdict(len(shown), bool(sure), is_open=bool(low)),
        ),
        (
            f"a useless programme is called effective at any of {LOOKS} looks in <= {100 * MOST_FALSE_CLAIMS:.0f} %",
            f"{len(looks) - len(false)} of {len(looks)} cells; highest {percent(highest)} %",
            _verdict(len(looks), bool(false)),
        ),
        (
            f"gates fail or warn in >= {100 * LEAST_SEEN:.0f} % of broken worlds with {ENOUGH_PERSONS} persons or "
            "families and more, or at the largest size of other units",
            f"{len(large) - len(unseen)} of {len(large)} cells; lowest {percent(least)} %",
            _verdict(len(large), bool(unseen)),
        ),
        ("no study breaks the method", f"{crashed} of {studies} studies", _verdict(studies, bool(crashed))),
    ]
    text = ["## In short", "", table(["requirement", "measured", "verdict"], rows)]
    return [*text, *_misses(known, low, false, unseen)]


def _verdict(measured: int, is_missed: bool, *, is_open: bool = False) -> str:
    if not measured:
        return "not measured"
    return "**missed**" if is_missed else "cannot be told yet" if is_open else "met"


def enough_to_see(world: PlantedWorld) -> int:
    """Return the size from which gates must see what is wrong."""
    return ENOUGH_PERSONS if world.unit in {"persons", "families"} else max(world.sizes)


def _misses(
    known: dict[Cell, Measured],
    low: list[tuple[Cell, Tally]],
    false: list[tuple[Cell, Tally]],
    unseen: list[tuple[Cell, Tally]],
) -> list[str]:
    """Return a sentence per figure that misses its requirement."""
    lines = []
    for cell, tally in low:
        share, error = tally.share("held", "shown"), tally.error_of("held", "shown")
        chance = (
            "beyond chance"
            if is_certain(share, error, LEAST_COVERAGE, above=False)
            else f"not beyond chance with {tally.n} studies"
        )
        lines.append(f"* {_name(cell)}: the ordinary interval holds in {percent(share, error)} %, {chance}.")
    for cell, tally in false:
        share, error = tally.share("effective"), tally.error_of("effective")
        lines.append(f"* {_name(cell)}: called effective at some look in {percent(share, error)} %.")
    for cell, tally in unseen:
        watched = ", ".join(f"`{name}`" for name in planted_world(cell.address).watched)
        lines.append(
            f"* {_name(cell)}: {watched} fail or warn in {percent(tally.share('seen'), tally.error_of('seen'))} % only."
        )
    for cell, found in known.items():
        for kind, text in found.tally.faults.items():
            lines.append(f"* {_name(cell)}: {found.tally.count['crashed']} studies broke off with {kind} ({text}).")
    addresses = {cell.address for cell in known}
    lines += [f"* `{address}`: {text}" for address, text in REMARKS.items() if address in addresses]
    return ["### What misses, and what to know", "", *(lines or ["Nothing misses."]), ""]


def _name(cell: Cell) -> str:
    looks = f", {LOOKS} looks" if cell.mode == "looks" else ""
    return f"`{cell.address}` at {cell.size:,} {planted_world(cell.address).unit}{looks}"


def _planted() -> list[str]:
    parts = ["## What is planted, and why", ""]
    for design in SHAPES:
        rows = [
            (f"`{world.name}`", world.kind, world.planted, world.why)
            for world in planted_worlds().values()
            if world.design == design
        ]
        if rows:
            parts += [f"### `{design}`: worlds", "", table(["world", "kind", "planted", "why"], rows)]
    return parts


_SOUND_COLUMNS = (
    "world",
    "size",
    "studies",
    "shown %",
    "bias",
    "sd",
    "95 % interval holds %",
    "verdict interval holds %",
    "length",
    "length, verdict",
    "gates that fail %",
)


def _sound(known: dict[Cell, Measured]) -> list[str]:
    parts = [
        "## Sound worlds",
        "",
        "Bias, spread, coverage and lengths are those of the studies that are shown. Bias is the mean error of the "
        "estimate (± Monte-Carlo error) and sd its spread; one-sided bounds, of arms without events, count for "
        "coverage only. Where nothing is shown there is nothing to hold: the last column says which gates saw to that.",
        "",
    ]
    for design in SHAPES:
        rows = [
            _sound_row(cell, world, tally) for cell, world, tally in judged(known, "sound") if world.design == design
        ]
        if rows:
            units = dict.fromkeys(world.unit for world in planted_worlds().values() if world.design == design)
            parts += [f"### `{design}` (sizes in {', '.join(units)})", ""]
            parts += [table(_SOUND_COLUMNS, rows)]
    return parts


def _sound_row(cell: Cell, world: PlantedWorld, tally: Tally) -> list[str]:
    bias, n = tally.mean("error"), tally.count["measured"]
    spread = math.sqrt(max(tally.mean("error2") - bias**2, 0.0)) if n else math.nan
    error = f" ±{spread / math.sqrt(n):.3f}" if n else ""
    few = tally.count["shown"] < _FEWEST_SHOWN
    held = percent(
        tally.share("held", "shown"), tally.error_of("held", "shown"), bold=not few and misses_coverage(tally)
    )
    verdict = percent(tally.share("verdict_held", "shown"), tally.error_of("verdict_held", "shown"))
    return [
        f"`{world.name}`",
        f"{cell.size:,}",
        f"{tally.n:,}",
        percent(tally.share("shown")),
        f"{figure(bias, 3)}{error}",
        figure(spread),
        "-" if few else held,
        "-" if few else verdict,
        figure(tally.mean("length")),
        figure(tally.mean("verdict_length")),
        _failing(tally),
    ]


def _failing(tally: Tally) -> str:
    """Return the gates that fail in at least two in a hundred studies."""
    shares = {
        key.split(":")[1]: number / tally.n
        for key, number in tally.count.items()
        if key.startswith("gate:") and key.endswith(":failed") and number >= 0.02 * tally.n
    }
    listed = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * share:.0f}" for name, share in listed) or "-"


def _not_sound(known: dict[Cell, Measured], kind: str) -> list[str]:
    found = list(judged(known, kind))
    if not found:
        return []
    broken = kind == "broken"
    title, text = (
        (
            "## Broken worlds: do the gates see it?",
            "*Strength*: the factor by which the estimate, hidden or not, is off on average (for differences: by how "
            "much). *Fail* hides the number; *fail or warn* says something beside it. *In sound worlds*: how often the "
            'same gates fail or warn where nothing is wrong. *Called effective*: studies that say "fewer" in spite of '
            "it all.",
        )
        if broken
        else (
            "## Unseen worlds: what no gate protects against",
            "The delivery does not hold what would show it. *Strength*: as above.",
        )
    )
    columns = ["design", "world", "size", "studies", "strength"]
    columns += ["gates", "fail %", "fail or warn %", "in sound worlds %"] if broken else []
    rows = []
    for cell, world, tally in found:
        off = tally.total.get("raw_error", math.nan) / max(tally.count["estimated"], 1)
        is_ratio = "mean_difference" not in next(iter(_plan_measures(world.address)), "")
        row = [world.design, f"`{world.name}`", f"{cell.size:,}", f"{tally.n:,}"]
        row.append(figure(math.exp(off)) if is_ratio else f"{off:+.2f}")
        if broken:
            misses = cell.size >= enough_to_see(world) and tally.share("seen") < LEAST_SEEN
            row += [
                ", ".join(world.watched),
                percent(tally.share("seen_failed"), tally.error_of("seen_failed")),
                percent(tally.share("seen"), tally.error_of("seen"), bold=misses),
                percent(same_gates(known, cell, world)),
            ]
        row.append(percent(tally.share("held", "shown")) if tally.count["shown"] >= _FEWEST_SHOWN else "-")
        row.append(percent(tally.share("fewer")))
        rows.append(row)
    return [title, "", text, "", table([*columns, "95 % interval holds %", "called effective %"], rows)]


@cache
def _plan_measures(address: str) -> tuple[str, ...]:
    world = planted_world(address)
    plan = draw_study(world, world.sizes[0], 0).data.plan
    return tuple(str(measure) for measure in plan.outcomes[plan.primary_outcome].measures)


def _looks(known: dict[Cell, Measured]) -> list[str]:
    rows = []
    for cell, _, tally in judged(known, "sound", "looks"):
        bad = is_useless(cell.address) and tally.share("effective") > MOST_FALSE_CLAIMS
        rows.append(
            [
                f"`{cell.address}`",
                f"{cell.size:,}",
                f"{tally.n:,}",
                figure(truth_of(cell.address)),
                percent(tally.share("effective"), tally.error_of("effective"), bold=bad),
                percent(tally.share("harmful"), tally.error_of("harmful")),
                percent(tally.share("verdict_missed"), tally.error_of("verdict_missed")),
                percent(tally.share("missed"), tally.error_of("missed")),
            ]
        )
    columns = ["world", "size at the end", "studies", "truth", "ever called effective %", "ever called harmful %"]
    columns += ["verdict interval ever missed the truth %", "ordinary interval ever did %"]
    return [
        f"## Over {LOOKS} quarterly looks",
        "",
        "The study grows evenly and is read every quarter. What counts is whether anything false was ever said at any "
        "look. The last column is why a verdict does not read the ordinary interval.",
        "",
        table(columns, rows),
    ]


def _power(known: dict[Cell, Measured]) -> list[str]:
    rows = [
        [
            f"`{cell.address}`",
            f"{cell.size:,}",
            f"{tally.n:,}",
            figure(truth_of(cell.address)),
            percent(tally.share("fewer"), tally.error_of("fewer")),
            percent(tally.share("significant")),
            percent(tally.share("shown")),
        ]
        for cell, _, tally in judged(known, "sound")
        if not is_useless(cell.address)
    ]
    return [
        "## Power",
        "",
        'How often an effect that is there is called one ("fewer", by the verdict interval), how often the ordinary '
        "interval leaves out no effect, and how often a number is shown at all.",
        "",
        table(["world", "size", "studies", "truth", "called effective %", "ordinary interval %", "shown %"], rows),
    ]


def _made(known: dict[Cell, Measured], method: str) -> list[str]:
    studies = sum(found.tally.n for found in known.values())
    hours = sum(found.seconds for found in known.values()) / 3600
    older = sum(found.methods != {method} for found in known.values())
    looks = [found.tally.n for cell, found in known.items() if cell.mode == "looks"]
    few = sum(found.tally.n < cell.replicates for cell, found in known.items())
    text = (
        f"Measured: {studies:,} studies in {len(known)} cells, {hours:.1f} processor hours"
        + (f"; {few} cells have fewer studies than a full run gives them" if few else "")
        + (f"; {older} cells were measured on an earlier version of the method" if older else "")
        + (f"; {len(looks)} cells are read at {LOOKS} looks" if looks else "")
        + "."
    )
    return [MADE, text]
