"""National size: the chain on generated persons, beside DuckDB's scan and what else one would use (``make bench``).

Every stage runs in a process of its own, on one thread, so that its peak memory is its own. A ratio is the stage's
processor time over that of a scan which reads every value of the same columns in the same process; medians over
``--repeats``. Other packages read the same table from Parquet and fit the same model; one that is not installed, or not
done in ``--patience`` seconds, is named as such. Inside this file: generating, measuring, telling. Not inside: any
statistics.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars  # noqa: F401 - loaded before the clock starts, as in a running chain
import scipy.stats  # noqa: F401 - likewise
import statsmodels.api  # noqa: F401 - likewise
import yaml
from bench_page import EVENTS_PER_PERSON, MOST_GB, Found, page

from effectmeter.designs.assembling import assemble
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import Estimate
from effectmeter.estimators.bootstrap import bootstrap_ratio
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.rate import rate_contrast
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.alike import add_up
from vault.analysis import read_analysis_data
from vault.cohort import build_cohort
from vault.connection import open_vault
from vault.intake.landing import land
from vault.outcomes import build_outcomes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "bench.md"
QUARTER = Quarter(2026, 3)
BY_HAND = "## Where the time goes"
"""From this heading on the page is written by hand, and kept."""
FACTORS = {f"f{i}": levels for i, levels in enumerate((2, 2, 2, 2, 2, 3, 3, 2, 2), start=1)}
MODEL = " + ".join(("treated", *FACTORS))


PLAN: dict[str, Any] = {
    "programme": "bench",
    "title": {"nl": "Maat", "en": "Size"},
    "design": "randomised",
    "synthetic": True,
    "source": {"persons": {"file": "persons.parquet"}, "events": {"file": "events.parquet"}},
    "adjust_for": dict.fromkeys(FACTORS, "categorical"),
    "follow_up": {"days": [365]},
    "outcomes": {"contact": {"event": "contact"}},
}
"""A trial by lot with nine factors, one window of a year."""


def plan_of() -> Plan:
    """Return the plan."""
    return Plan.model_validate(PLAN)


def generate(folder: Path, n: int, order: str) -> None:
    """Write a delivery of `n` persons and ten times as many events, a fifth of them after time zero."""
    finished, folder = folder, folder.with_suffix(".making")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    factors = ", ".join(f"'l' || (hash(i || ':{j}') % {k}) as f{j}" for j, k in enumerate(FACTORS.values(), start=1))
    person = "md5(i::varchar) as person_id"
    rank = "person_id, event_date" if order == "sorted" else "hash(i || ':order')"
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        f"copy (select {person}, if(hash(i || ':arm') % 2 = 0, 'treated', 'comparison') as arm, {factors},"
        f" date '2024-01-01' + (hash(i || ':day') % 365)::integer as index_date from range({n}) as r(i)"
        f" order by person_id) to '{folder}/persons.parquet'"
    )
    connection.execute(
        f"copy (select md5((i % {n})::varchar) as person_id, 'contact' as event_type, date '2024-01-01'"
        f" + (hash((i % {n}) || ':day') % 365)::integer + 365 - floor(1825 * pow((hash(i || ':event') % 100000) / 1e5,"
        f" if(hash((i % {n}) || ':arm') % 2 = 0, 0.9, 1.0)))::integer as event_date"
        f" from range({n * EVENTS_PER_PERSON}) as r(i) order by {rank}) to '{folder}/events.parquet'"
    )
    folder.rename(finished)


def scan(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Read every value of a table's columns, and keep a number of each."""
    relation = connection.sql(f"select * from {source} limit 0")
    reads = {"VARCHAR": "strlen({0})", "DATE": "datepart('day', {0})", "BOOLEAN": "{0}::integer"}
    kinds = zip(relation.columns, map(str, relation.types), strict=True)
    sums = (f"sum({reads.get(kind, '{0}').format(name)})" for name, kind in kinds)
    connection.sql(f"select {', '.join(sums)} from {source}").fetchall()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return processor time, wall time and what the work returned."""
    began = time.process_time(), time.perf_counter()
    value = work()
    return time.process_time() - began[0], time.perf_counter() - began[1], value


def against_scan(connection: duckdb.DuckDBPyConnection, work: Callable[[], Any], *sources: str) -> tuple[Found, Any]:
    """Measure the work, and the scan of `sources` in the same process: the middle of three, the first to warm up."""
    scans = [timed(lambda: [scan(connection, source) for source in sources])[:2] for _ in range(4)][1:]
    cpu, wall, value = timed(work)
    found = {"cpu": cpu, "wall": wall, "scan_cpu": sorted(s[0] for s in scans)[1], "scan_wall": sorted(scans)[1][1]}
    return found, value


def stage_landing(home: Home) -> Found:
    """Bring the delivery into the vault."""
    delivery = home.delivery("bench", QUARTER)
    sources = [f"'{delivery}/{table}.parquet'" for table in ("persons", "events")]
    with open_vault(home.vault("bench", QUARTER)) as connection:
        connection.execute("set threads = 1")
        return against_scan(connection, lambda: land(connection, plan_of(), delivery, QUARTER), *sources)[0]


def stage_chain(home: Home) -> Found:
    """Build cohort and outcomes from the landing."""
    with open_vault(home.vault("bench", QUARTER)) as connection:
        connection.execute("set threads = 1")

        def work() -> None:
            build_cohort(connection, plan_of(), QUARTER)
            build_outcomes(connection, plan_of(), QUARTER)

        events = "(select person_id, event_type, event_date from landing.events)"
        people = f"(select person_id, arm, index_date, {', '.join(FACTORS)} from landing.persons)"
        found = against_scan(connection, work, events, people)[0]
        found["adding_up_cpu"] = timed(lambda: add_up(connection, plan_of()))[0]
        connection.execute("begin transaction")  # without what the placebo sees, for once: the cohort's persons alone
        connection.execute("create or replace table outcomes.placebo_windows as from outcomes.placebo_windows limit 0")
        found["adding_up_cohort_cpu"] = timed(lambda: add_up(connection, plan_of()))[0]
        connection.execute("rollback")
        return found


def sample_of(home: Home) -> Sample:
    """Return whom the design analyses, read from the vault as the design's own steps do."""
    with open_vault(home.vault("bench", QUARTER), read_only=True) as connection:
        connection.execute("set threads = 1")
        data = read_analysis_data(connection, plan_of(), QUARTER)
    return assemble(data, "treated", "contact", 365)


def _estimate(home: Home, kind: str) -> Found:
    columns = "n_events, days_free" if kind == "rate" else "n_events, days_observed"
    with open_vault(home.vault("bench", QUARTER), read_only=True) as connection:
        connection.execute("set threads = 1")
        people = f"(select person_id, arm, {', '.join(FACTORS)} from cohort.persons)"
        windows = (
            f"(select person_id, outcome, period, window_days, is_complete, {columns} from outcomes.person_windows)"
        )
        found, (cells, estimate) = against_scan(connection, lambda: _fitted(home, kind), people, windows)
    found["n_cells"] = len(cells)
    found |= {"log_ratio": math.log(estimate.value), "std_error": estimate.std_error}
    if kind == "rate":
        fewer = cells.X[:, 1:]
        again = timed(
            lambda: rate_contrast(cells.y, cells.t, cells.treated01, fewer, estimand="ate", variance="hc1", cells=cells)
        )
        found["warm_wall"] = again[1]
    return found


def _fitted(home: Home, kind: str) -> tuple[Cells, Estimate]:
    """Return the cells and the ratio of rates or hazards."""
    sample = sample_of(home)
    if kind == "hazard":
        cells = present(sample.cells("hazard"))
        args = (cells.days, cells.y, cells.treated01, cells.X)
        return cells, hazard_ratio(*args, variance="hc0", cells=cells)  # type: ignore[arg-type]
    cells = present(sample.cells("free_time"))
    args = (cells.y, cells.t, cells.treated01, cells.X)
    return cells, rate_contrast(*args, estimand="ate", variance="hc0", cells=cells).ratio


def present(cells: Cells | None) -> Cells:
    """Return the cells; where there are none, the size is too small for the persons to be added up."""
    if cells is None:
        raise RuntimeError("persons are not added up at this size: take 10^5 or more")
    return cells


def stage_rate(home: Home) -> Found:
    """Compare rates with a robust error, from the analysis tables on disk."""
    return _estimate(home, "rate")


def stage_cox(home: Home) -> Found:
    """Compare hazards with a robust error, from the analysis tables on disk."""
    return _estimate(home, "hazard")


def stage_bootstrap(home: Home) -> Found:
    """Draw the persons of a rate ratio anew, a thousand times."""

    def ratio(of: Cells) -> Estimate:
        return rate_contrast(of.y, of.t, of.treated01, of.X, estimand="ate", variance="hc0", cells=of).ratio

    def work() -> tuple[Estimate, Estimate]:
        cells = present(sample_of(home).cells("free_time", alike_in_outcome=True))
        return ratio(cells), bootstrap_ratio(cells, ratio, seed=1)

    cpu, wall, (whole, drawn) = timed(work)
    return {"cpu": cpu, "wall": wall, "std_error": drawn.std_error, "robust": whole.std_error}


def stage_whole(home: Home) -> Found:
    """Refresh the programme from nothing, with all checks, gates and the report, as the schedule does."""
    shutil.rmtree(home.root / "vault", ignore_errors=True)
    plans = home.root / "programmes"
    plans.mkdir(exist_ok=True)
    (plans / "bench.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    environment = {"EFFECTMETER_HOME": str(home.root), "EFFECTMETER_PROGRAMMES": str(plans)}
    command = ["-m", "pipelines.cli", "refresh", "--programme", "bench", "--quarter", str(QUARTER)]
    _, cpu, peak = child([sys.executable, *command], math.inf, environment)
    return {"cpu": cpu, "peak_of_refresh": peak}


def stage_export(home: Home) -> Found:
    """Write the analysis table as others would take it."""
    factors = ", ".join(f"substr(persons.{name}, 2)::integer as {name}" for name in FACTORS)
    with open_vault(home.vault("bench", QUARTER), read_only=True) as connection:
        connection.execute("set threads = 1")
        table = (
            f"select (arm = 'treated')::integer as treated, {factors}, n_events as y, days_free / 365.25 as t,"
            " days_observed as day, (n_events > 0)::integer as ended from cohort.persons as persons"
            " join outcomes.person_windows using (person_id) where is_complete and window_days = 365"
        )
        for kind in ("parquet", "csv"):
            connection.execute(f"copy ({table}) to '{home.root}/table.{kind}'")
    return {}


_ALL = "+".join(f"C({name})" for name in FACTORS)
_READ = "import pandas as pd, numpy as np, math; d = pd.read_parquet(r'{folder}/table.parquet')\n"
_R = "d <- read.csv('{folder}/table.csv'); for (v in paste0('f', 1:9)) d[[v]] <- factor(d[[v]]);"
OTHERS: dict[str, tuple[str, str, str]] = {
    "statsmodels GLM, HC0": (
        "rate", "python",
        _READ + "import statsmodels.formula.api as s, statsmodels.api as a\n"
        f"m = s.glm('y ~ treated+{_ALL}', d, family=a.families.Poisson(), exposure=d.t).fit(cov_type='HC0')\n"
        "print(m.params['treated'], m.bse['treated'])",
    ),
    "pyfixest fepois, hetero": (
        "rate", "python",
        _READ + "import pyfixest as p; d['lt'] = np.log(d.t)\n"
        f"m = p.fepois('y ~ treated | {'+'.join(FACTORS)}', d, vcov='hetero', offset='lt')\n"
        "print(m.coef()['treated'], m.se()['treated'])",
    ),
    "glum (no robust error)": (
        "rate", "python",
        _READ + "import glum\n"
        f"c = {list(FACTORS)}; X = pd.get_dummies(d[['treated'] + c], columns=c, drop_first=True).astype(float)\n"
        "m = glum.GeneralizedLinearRegressor(family='poisson', alpha=0, gradient_tol=1e-10)\n"
        "m.fit(X, d.y, offset=np.log(d.t)); print(m.coef_[0], 'nan')",
    ),
    "duckreg, least squares on counts (another model)": (
        "other", "python",
        "from duckreg.estimators import DuckRegression; import duckdb; F = r'{folder}/others.duckdb'\n"
        "c = duckdb.connect(F)\n"
        "c.execute(\"create or replace table d as select columns(*)::double from '{folder}/table.parquet'\")\n"
        "c.close()\n"
        f"m = DuckRegression(db_name=F, table_name='d', formula='y ~ {MODEL}', cluster_col='', seed=1,"
        " n_bootstraps=0)\nm.fit(); print('nan nan')",
    ),
    "R glm + sandwich, HC0": (
        "rate", "R",
        _R + f" m <- glm(y ~ {MODEL} + offset(log(t)), poisson, d);"
        " cat(sprintf('%.16g', c(coef(m)['treated'], sqrt(sandwich::vcovHC(m, type='HC0')['treated','treated']))))",
    ),
    "R MatchIt exact, glm + sandwich (another model)": (
        "other", "R",
        _R + f" w <- MatchIt::matchit(treated ~ {'+'.join(FACTORS)}, d, method='exact')$weights;"
        " m <- glm(y ~ treated + offset(log(t)), poisson, d, weights=w, subset=w > 0);"
        " v <- sandwich::vcovHC(m, type='HC0'); cat('nan nan')",
    ),
    "R survival::coxph, robust": (
        "cox", "R",
        _R + f" m <- survival::coxph(survival::Surv(day, ended) ~ {MODEL}, d, robust=TRUE, ties='efron');"
        " cat(sprintf('%.16g', c(coef(m)['treated'], sqrt(vcov(m)['treated','treated']))))",
    ),
    "pandas, cohort and outcomes": (
        "chain", "python",
        "import pandas as pd; D = r'{delivery}'; p = pd.read_parquet(D + '/persons.parquet')\n"
        "e = pd.read_parquet(D + '/events.parquet').merge(p[['person_id', 'index_date']], on='person_id')\n"
        "day = (pd.to_datetime(e.event_date) - pd.to_datetime(e.index_date)).dt.days\n"
        "e = e.assign(day=day)[(day >= 1) & (day <= 365)]\n"
        "g = e.groupby('person_id').day.agg(['size', 'min']); p = p.join(g, on='person_id'); print('nan nan')",
    ),
}  # fmt: skip
STAGES = {
    "landing": stage_landing, "chain": stage_chain, "rate": stage_rate, "cox": stage_cox,
    "bootstrap": stage_bootstrap, "export": stage_export, "whole": stage_whole,
}  # fmt: skip


def child(
    command: Sequence[str], patience: float, environment: Mapping[str, str] | None = None, most_gb: float = math.inf
) -> tuple[str, float, float]:
    """Return output, processor time and peak memory (MB) of a process; raises when it is not done in time or memory."""
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
    )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        every = os.environ | one_thread | dict(environment or {})
        process = subprocess.Popen(command, cwd=ROOT, env=every, stdout=out, stderr=err)
        if most_gb < math.inf:
            most = int(most_gb * 2**30)
            resource.prlimit(process.pid, resource.RLIMIT_AS, (most, most))
        began, most_seen = time.monotonic(), 0.0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            most_seen = max(most_seen, _resident_mb(process.pid))
            if time.monotonic() - began > patience:
                process.kill()
                os.wait4(process.pid, 0)
                raise TimeoutError(f"not done in {patience:.0f} s")
            time.sleep(0.05)
        process.returncode = ended[1]
        out.seek(0)
        err.seek(0)
        if ended[1] != 0:
            raise RuntimeError(err.read()[-400:])
        usage: resource.struct_rusage = ended[2]
        return out.read(), usage.ru_utime + usage.ru_stime, max(most_seen, usage.ru_maxrss / 1024)


def _resident_mb(process: int) -> float:
    """Return the memory that a process has now: a system that reclaims pages by itself may forget how much it had."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def run_stage(folder: Path, name: str, patience: float) -> Found:
    """Run a stage in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--stage", name, "--folder", str(folder)]
    output, _, peak = child(command, patience)
    return json.loads(output.splitlines()[-1]) | {"peak": peak}  # type: ignore[no-any-return]


def run_size(
    folder: Path, n: int, repeats: int, patience: float, python: str | None, *, beside: bool, whole: int
) -> Found:
    """Measure one size, both orders of events; returns lists of what each stage found.

    With `beside` the others too; the whole chain up to `whole` persons.

    What a killed run had measured stands in the folder, and is not measured again.
    """
    result: Found = {"persons": n, "others": {}, "not_run": []}
    for order in ("any", "sorted"):
        home = Home(folder / f"{n}-{order}")
        kept = folder / f"{n}-{order}.json"
        found: Found = json.loads(kept.read_text()) if kept.exists() else {}
        try:
            for stage, times in (
                ("landing", 1), ("chain", repeats), ("rate", repeats), ("cox", repeats), ("bootstrap", 1),
                ("whole", int(n <= whole)),
            ):  # fmt: skip
                if order == "any" and stage not in ("landing", "chain"):
                    continue  # the analysis tables are the same
                if stage == "whole" and beside and "others" not in found:
                    run_stage(home.root, "export", patience)
                    found["others"] = run_others(home, patience, python or sys.executable)
                    kept.write_text(json.dumps(found))
                name = f"{stage} {order}" if stage in ("landing", "chain") else stage
                runs = found.setdefault(name, [])
                while len(runs) < times:
                    if not home.delivery("bench", QUARTER).exists():
                        generate_apart(home, n, order)
                    runs.append(run_stage(home.root, stage, math.inf if stage == "whole" else patience))
                    kept.write_text(json.dumps(found))
                    print(f"{n:,} persons: {name}, {len(runs)} of {times}", file=sys.stderr)
        except (TimeoutError, RuntimeError) as error:
            result["not_run"].append(f"{order}: {str(error).splitlines()[-1]}")
        result |= found
        shutil.rmtree(home.root, ignore_errors=True)
    return result


def generate_apart(home: Home, n: int, order: str) -> None:
    """Write the delivery in a process of its own, whose memory is not that of what is measured."""
    child([sys.executable, str(Path(__file__)), "--generate", f"{n} {order}", "--folder", str(home.root)], math.inf)


def run_others(home: Home, patience: float, python: str) -> Found:
    """Run what else one would use, once each."""
    found: Found = {}
    for name, (stage, language, code) in OTHERS.items():
        text = code.replace("{folder}", str(home.root)).replace("{delivery}", str(home.delivery("bench", QUARTER)))
        command = [python, "-c", text] if language == "python" else ["Rscript", "-e", text]
        try:
            output, cpu, peak = child(command, patience, most_gb=MOST_GB)
            log_ratio, std_error = (float(word) for word in output.split()[-2:])
            found[name] = {"stage": stage, "cpu": cpu, "peak": peak, "log_ratio": log_ratio, "std_error": std_error}
        except (TimeoutError, RuntimeError, FileNotFoundError) as error:
            found[name] = {"stage": stage, "failed": str(error).strip().splitlines()[-1][:90]}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a stage, or every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", type=lambda text: [int(float(part)) for part in text.split(",")], default=[10**5, 10**6]
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds for one stage or package")
    parser.add_argument("--python", help="interpreter that has the other packages; this one by default")
    parser.add_argument("--whole", type=lambda text: int(float(text)), default=10**7, help="largest whole chain")
    parser.add_argument("--alone", action="store_true", help="leave the other packages out")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--generate", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.generate:
        n, order = asked.generate.split()
        generate(Home(asked.folder).delivery("bench", QUARTER), int(n), order)
        return
    if asked.stage:
        print(json.dumps(STAGES[asked.stage](Home(asked.folder)), default=float))
        return
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    notes = "".join(written.partition(BY_HAND)[1:])
    sizes = []
    for n in sorted(asked.sizes):
        sizes.append(
            run_size(folder, n, asked.repeats, asked.patience, asked.python, beside=not asked.alone, whole=asked.whole)
        )
        asked.page.write_text(page(sizes, notes), encoding="utf-8")  # a killed run keeps what it has
        print(f"{n:,} persons done", file=sys.stderr)


if __name__ == "__main__":
    main()
