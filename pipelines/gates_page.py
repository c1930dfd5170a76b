"""The reference page of the gates: every gate with its rule, and which design asks it. Made by ``make docs``.

Here: the layout. Not here: the rules, which stand at the gates (`effectmeter.gates.base.gate`), nor which design has
which (its ``gate_list``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from effectmeter.designs.base import Design
from effectmeter.designs.registry import all_designs
from effectmeter.gates.base import Gate, GateFacts, facts_of

_PAGE = """# Gates: when a number may be shown

<!-- Made by `make docs` from the code; edit that, not this page. -->

A gate ends as `passed`, `warned`, `failed`, `not_evaluated` or `not_applicable`, each with its figure, its threshold, a
sentence, and what would change it. **Only `failed` hides**, and only the effects that it concerns; `warned` and
`not_evaluated` are said beside the number. A study that is merely too small to see an effect is never hidden for it
(`power`).

## Which design asks what

{matrix}

## The rules

{rules}
"""


def write_gates_page(folder: Path) -> Path:
    """Write ``gates.md`` into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "gates.md"
    path.write_text(gates_page(all_designs()), encoding="utf-8")
    return path


def gates_page(designs: Mapping[str, Design]) -> str:
    """Return the page: gates by designs, then every rule; a gate with a rule per design has a line per rule."""
    asked = {name: [facts_of(gate) for gate in _gates(design)] for name, design in designs.items()}
    every = list(dict.fromkeys(facts for listed in asked.values() for facts in listed))
    names = list(dict.fromkeys(facts.name for facts in every))
    matrix = [
        [f"`{name}`", *("yes" if name in {f.name for f in asked[design]} else "" for design in designs)]
        for name in names
    ]
    rules = [
        [
            f"`{facts.name}`",
            _designs_of(facts, every, asked),
            facts.rule,
            facts.threshold,
            facts.hides,
            facts.source,
        ]
        for name in names
        for facts in every
        if facts.name == name
    ]
    return _PAGE.format(
        matrix=_table(["gate", *(f"`{design}`" for design in designs)], matrix),
        rules=_table(["gate", "of", "rule", "threshold", "hides when failed", "from"], rules),
    )


def _gates(design: Design) -> tuple[Gate, ...]:
    return tuple(design.gate_list)


def _designs_of(facts: GateFacts, every: list[GateFacts], asked: Mapping[str, list[GateFacts]]) -> str:
    """Return for which designs a rule holds; nothing where a gate has one rule only."""
    if sum(other.name == facts.name for other in every) == 1:
        return "all that ask it"
    return ", ".join(f"`{design}`" for design, listed in asked.items() if facts in listed)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
