"""Where things are: the folders of one installation, by name. Paths only; nothing here opens a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from effectmeter.errors import EffectmeterError
from effectmeter.quarters import Quarter


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder of one team.

    Attributes
    ----------
    root
        ``EFFECTMETER_HOME``, ``--home`` or ``./data``.
    """

    root: Path

    @classmethod
    def from_environment(cls, root: Path | None = None) -> Home:
        """Take `root`, else ``EFFECTMETER_HOME``, else ``./data``; always absolute."""
        return cls((root or Path(os.environ.get("EFFECTMETER_HOME", "data"))).expanduser().resolve())

    def delivery(self, programme: str, quarter: Quarter) -> Path:
        """Return the folder where the supplier drops a programme's files for a quarter."""
        return self.root / "deliveries" / programme / str(quarter)

    def vault(self, programme: str, quarter: Quarter) -> Path:
        """Return the vault file: one per programme and quarter."""
        return self.vaults(programme) / f"{quarter}.duckdb"

    def vaults(self, programme: str) -> Path:
        """Return the folder that holds a programme's vaults, one per quarter."""
        return self.root / "vault" / programme

    def key(self, programme: str) -> Path:
        """Return the file that holds a programme's key, unless the key comes from the environment."""
        return self.root / "keys" / f"{programme}.key"

    def releases(self, programme: str, quarter: Quarter) -> Path:
        """Return the folder that holds a quarter's editions."""
        return self.root / "release" / programme / str(quarter)

    @property
    def release_root(self) -> Path:
        """All releases, and the portfolio over them."""
        return self.root / "release"

    @property
    def dagster(self) -> Path:
        """The Dagster instance that the user interface and the command line share."""
        return self.root / "dagster"


def plan_files(folder: Path) -> list[Path]:
    """Return the files with plans in a folder, in order of name; none where there is no such folder.

    Raises
    ------
    EffectmeterError
        This account may not look into the folder.
    """
    try:
        return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))
    except PermissionError:
        raise EffectmeterError(
            "the folder with analysis plans cannot be read (permission denied)",
            where=str(folder),
            next_step="give this account the right to read there, or choose another folder with --programmes",
        ) from None


def programmes_folder(folder: Path | None = None) -> Path:
    """Return the folder with the analysis plans: `folder`, else ``EFFECTMETER_PROGRAMMES``, else ``./programmes``."""
    return (folder or Path(os.environ.get("EFFECTMETER_PROGRAMMES", "programmes"))).expanduser().resolve()
