"""Writes the worked example into the guide of each design, from the vaults of the bundled programmes.

``make examples`` refreshes them in a folder of its own and runs this; only what stands between the two marks of a guide
is replaced. Their data are published or made up, so that their vaults may be shown.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from assets.releases import vault_effects
from effectmeter.analysis_syntax import r_syntax
from effectmeter.home import Home
from effectmeter.plan_io import load_plan
from effectmeter.quarters import Quarter
from pipelines.export import read_table
from pipelines.printing import effect_lines

ROOT = Path(__file__).resolve().parents[1]
GUIDES = ROOT / "docs" / "explanation" / "designs"
QUARTER = Quarter(2026, 3)
EXAMPLES = {
    "randomised": "tarp",
    "comparison-cohort": "alleen-jij-bepaalt",
    "before-after": "integrale-familieaanpak",
    "staggered-areas": "preventie-met-gezag",
    "interrupted-series": "vertrouwensketen",
    "pooled-trials": "scared-straight",
}
"""Guide -> bundled programme."""

_BLOCK = re.compile(r"<!-- example -->\n.*?<!-- end of example -->\n", re.DOTALL)
_MOST_ROWS = 8
_WIDTH = 150


def example(home: Home, programme: str, quarter: Quarter = QUARTER) -> str:
    """Return the worked example of a programme, from its vault."""
    table = read_table(home, load_plan(ROOT / "programmes" / f"{programme}.yaml"), quarter)
    lines = list(effect_lines(vault_effects(home, programme, quarter)))
    rows = [line for line in lines if line.split(" ")[0] in {"primary", "secondary", "unadjusted"}]
    gates = [line for line in lines if line.startswith("gate ") and ": not applicable" not in line]
    options = f"--programme {programme} --quarter {quarter}"
    shown = [lines[0], *rows[:_MOST_ROWS], "...", "", *gates]
    return "\n".join(
        [
            "<!-- example -->",
            f"## Worked example: `{programme}`",
            "",
            f"Made by `make examples` from [the plan](../../../programmes/{programme}.yaml) and the bundled delivery.",
            "",
            "```sh",
            f".venv/bin/effectmeter worlds {options}",
            f".venv/bin/effectmeter refresh {options}",
            f".venv/bin/effectmeter effects {options}",
            f".venv/bin/effectmeter export {options} --to analysis",
            "```",
            "",
            "What `effects` prints, shortened:",
            "",
            "```",
            *(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 4]} ..." for line in shown),
            "```",
            "",
            "What `export` writes for R:",
            "",
            "```r",
            r_syntax(table, f"{programme}-{quarter}.csv", "csv").rstrip("\n"),
            "```",
            "<!-- end of example -->",
            "",
        ]
    )


def with_example(guide: str, block: str) -> str:
    """Return a guide with its example replaced."""
    if not _BLOCK.search(guide):
        return f"{guide.rstrip()}\n\n{block}"
    return _BLOCK.sub(lambda _: block, guide)


def main(home: Home) -> None:
    """Write the examples of the programmes that have a vault in this installation."""
    for guide, programme in EXAMPLES.items():
        path = GUIDES / f"{guide}.md"
        path.write_text(with_example(path.read_text(encoding="utf-8"), example(home, programme)), encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main(Home.from_environment())
