"""Small programmes for tests that go through the public interface: a plan and a delivery in, effects out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from effectmeter.home import Home
from effectmeter.quarters import Quarter

ROOT = Path(__file__).resolve().parents[1]
QUARTER = Quarter(2026, 3)


@dataclass(frozen=True, slots=True)
class Workbench:
    """A folder with plans and a home, as a researcher would have them."""

    root: Path

    @property
    def home(self) -> Home:
        return Home(self.root / "data")

    @property
    def plans(self) -> Path:
        return self.root / "programmes"

    def add_bundled(self, programme: str) -> None:
        self.plans.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "programmes" / f"{programme}.yaml", self.plans)

    def add_plan(self, plan: dict[str, Any]) -> None:
        self.plans.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(plan, sort_keys=False, allow_unicode=True)
        (self.plans / f"{plan['programme']}.yaml").write_text(text, encoding="utf-8")

    def deliver(
        self,
        programme: str,
        file: str,
        header: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        quarter: Quarter = QUARTER,
        delimiter: str = ",",
        encoding: str = "utf-8",
    ) -> Path:
        folder = self.home.delivery(programme, quarter)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file
        with path.open("w", newline="", encoding=encoding) as stream:
            writer = csv.writer(stream, delimiter=delimiter)
            writer.writerow(header)
            writer.writerows(rows)
        return path

    def refresh(self, programme: str, quarter: Quarter = QUARTER) -> Any:
        """Run the chain in this process and return how it ended."""
        from pipelines.refresh import refresh

        (result,) = refresh(self.home, self.plans, [programme], quarter)
        return result

    def estimate(self, programme: str, quarter: Quarter = QUARTER) -> None:
        """Run the chain's own steps up to the gates, without Dagster, release and report: ten times as fast."""
        from assets import steps
        from effectmeter.plan_io import load_plan

        plan = load_plan(self.plans / f"{programme}.yaml")
        for name in ("landing", "cohort", "outcomes", "comparability", "effects", "diagnostics"):
            steps.STEPS[name](self.home, plan, quarter)
            if name in ("landing", "outcomes"):
                steps.check(self.home, plan, quarter, name)

    def effects(self, programme: str, quarter: Quarter = QUARTER) -> dict[str, list[dict[str, Any]]]:
        """Return what `effectmeter effects --json` prints."""
        from assets.releases import vault_effects

        found = vault_effects(self.home, programme, quarter)
        return json.loads(json.dumps(found, allow_nan=False))  # type: ignore[no-any-return]


def minimal_plan(programme: str, design: str = "randomised", **more: Any) -> dict[str, Any]:
    """Return the smallest plan of a person design that validates."""
    return {
        "programme": programme,
        "title": {"nl": programme, "en": programme},
        "design": design,
        "source": {"persons": {"file": "persons.csv"}, "events": {"file": "events.csv"}},
        "outcomes": {"arrest": {"event": "arrest", "measures": ["risk_ratio"]}},
    } | more


def rows_where(rows: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """Return the rows whose columns have the wanted values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]
