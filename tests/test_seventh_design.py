"""Adding a design is adding a module and its entry: a toy one goes through the whole chain, report included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent

MODULE = '''
"""A toy: the total of the trials' tables, and nothing else."""

from effectmeter.designs.rows import Counts, blank_row, with_counts, with_estimate
from effectmeter.estimators.small_samples import score_risk_ratio
from effectmeter.gates.power import power
from effectmeter.results import Comparability


class Tally:
    name = "tally"
    tables = ("trials",)
    gate_list = (power,)

    def compare(self, data):
        return Comparability()

    def estimate(self, data, comparability, scope="all"):
        t = data.units["trials"]
        names = ("events_treated", "n_treated", "events_comparison", "n_comparison")
        e1, n1, e0, n0 = (float(t[name].sum()) for name in names)
        row = blank_row(
            data, outcome=data.plan.primary_outcome, measure="risk_ratio", contrast=data.plan.contrasts[0][1],
            estimand="ate", estimator="tally", variance="score", analysis="primary",
        )
        row = with_counts(row, Counts(n=(int(n1), int(n0)), events=(e1, e0)))
        return (with_estimate(data, row, score_risk_ratio(e1, n1, e0, n0, level=0.95)),)

    def gates(self, data, comparability, effects):
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))
'''

ENTRY = """
import sys
from pathlib import Path

sys.path[:0] = [sys.argv[1], sys.argv[2]]
from effectmeter import shapes

shapes.SHAPES = {
    **shapes.SHAPES,
    "tally": shapes.Shape(
        words={"nl": "opgeteld", "en": "added up"}, answers="toy_tally:Tally", unit="trial",
        needs=shapes.DesignNeeds(("trials",)), frames=("trials",), estimands=("ate",), measures=("risk_ratio",),
        default_measures=("risk_ratio",),
    ),
}

from workbench import QUARTER, Workbench

bench = Workbench(Path(sys.argv[1]))
bench.add_plan({
    "programme": "toy", "title": "Toy", "design": "tally", "source": {"trials": {"file": "t.csv"}},
    "outcomes": {"arrest": {}},
})
header = ["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison"]
bench.deliver("toy", "t.csv", header, [("x", 30, 100, 60, 100), ("y", 30, 100, 60, 100)])
bench.estimate("toy")
(row,) = bench.effects("toy")["effects"]
assert (row["estimator"], row["status"], round(row["estimate"], 6)) == ("score_risk_ratio", "shown", 0.5), row

from assets import steps
from effectmeter.plan_io import load_plan

plan = load_plan(bench.plans / "toy.yaml")
for step in ("release", "report"):
    steps.STEPS[step](bench.home, plan, QUARTER)
(page,) = bench.home.releases("toy", QUARTER).glob("*/report.en.html")
assert "added up" in page.read_text(encoding="utf-8")
print("whole chain")
"""


def test_a_seventh_design_is_one_module_and_one_entry(tmp_path: Path) -> None:
    (tmp_path / "toy_tally.py").write_text(MODULE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, str(tmp_path), str(TESTS)],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "whole chain" in done.stdout
