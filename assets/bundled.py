"""The bundled deliveries: TARP as it is, the synthetic worlds from their seed, each put into a quarter's folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

from assets.provenance import ROOT
from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.plan_rules import nearest
from effectmeter.quarters import Quarter

REAL = ROOT / "programmes" / "deliveries"


def write_deliveries(
    home: Home,
    quarter: Quarter,
    wanted: list[str],
    seed: int | None = None,
    listener: Callable[[str, int, int], None] = lambda programme, number, total: None,
) -> dict[str, tuple[Path, ...]]:
    """Write the bundled deliveries of some programmes (all when none is named) for a quarter.

    `listener` is called as each begins: programme, its number, how many there are.
    """
    from effectmeter.worlds import DEFAULT_SEED, WORLDS, write_world

    real = sorted(folder.name for folder in REAL.iterdir() if folder.is_dir())
    known = [*real, *WORLDS]
    for programme in wanted:
        if programme not in known:
            raise UsageError(
                f"no delivery is bundled for '{programme[:60]}'",
                where="--programme",
                allowed=", ".join(known),
                next_step=nearest(programme, known),
            )
    written: dict[str, tuple[Path, ...]] = {}
    for number, programme in enumerate(wanted or known, start=1):
        listener(programme, number, len(wanted or known))
        folder = home.delivery(programme, quarter)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if programme in real:
            sources = sorted((REAL / programme).glob("*.csv"))
            written[programme] = tuple(Path(shutil.copyfile(path, folder / path.name)) for path in sources)
        else:
            written[programme] = write_world(programme, quarter, folder, seed=DEFAULT_SEED if seed is None else seed)
    return written
