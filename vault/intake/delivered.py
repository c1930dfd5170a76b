"""The delivered file: finding it, recognising what it is, its hash, and the bounds that it must keep.

No row is read here.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from effectmeter.errors import DeliveryError
from effectmeter.plan import SourceTable

KINDS = {
    ".csv": "text",
    ".txt": "text",
    ".tsv": "text",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
    ".sav": "spss",
    ".zsav": "spss",
    ".dta": "stata",
}
"""What a file is, by its extension."""
_SIGNATURES = {
    "parquet": (b"PAR1",),
    "excel": (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"),
    "spss": (b"$FL2", b"$FL3"),
}
_MOST_UNPACKED_BYTES = 2 * 2**30
_MOST_EXCEL_BYTES = 512 * 2**20
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One file of a delivery, as it was when intake began.

    Attributes
    ----------
    name
        As the plan writes it.
    kind
        ``text``, ``parquet``, ``excel``, ``spss`` or ``stata``.
    """

    table: str
    name: str
    path: Path
    kind: str
    sha256: str
    n_bytes: int

    def refuse_if_replaced(self) -> None:
        """Raise when the file is no longer what was hashed: the rows and the hash would not belong together."""
        is_there = self.path.is_file()
        if not is_there or sha256_of(self.path) != self.sha256:
            raise DeliveryError(
                f"the file was {'replaced' if is_there else 'taken away'} while it was being read",
                where=self.name,
                next_step="let the delivery finish, then refresh again",
            )


def find_all(delivery: Path, sources: Mapping[str, SourceTable]) -> list[DeliveredFile]:
    """Find every table's file in the delivery folder and establish what each is, in the order of `sources`.

    Raises
    ------
    DeliveryError
        Files are not there (all of them are named), or one lies outside the folder, is empty, of an unknown kind, or
        not what its name says.
    """
    if not delivery.is_dir():
        wanted = ", ".join(f"{source.file} (table {table})" for table, source in sources.items())
        raise DeliveryError(
            "there is no delivery for this quarter", where=str(delivery), next_step=f"put {wanted} in this folder"
        )
    absent = {t: source.file for t, source in sources.items() if not _inside(delivery, source.file).is_file()}
    if absent:
        present = sorted(each.name for each in delivery.iterdir() if each.is_file())
        near = dict.fromkeys(name for wanted in absent.values() for name in near_misses(wanted, present))
        found = f"this is there: {', '.join(near)}" if near else f"{len(present)} other files are there"
        raise DeliveryError(
            f"{', '.join(f'{name} (table {table})' for table, name in absent.items())} was not delivered; {found}",
            where=str(delivery),
            next_step=f"add {', '.join(dict.fromkeys(absent.values()))}, or correct "
            f"{', '.join(f'source.{table}.file' for table in absent)} in the plan",
        )
    return [_find(delivery, table, source) for table, source in sources.items()]


def _find(delivery: Path, table: str, source: SourceTable) -> DeliveredFile:
    """Establish what a table's file is; that it is there, `find_all` has seen to."""
    path = _inside(delivery, source.file)
    kind = KINDS.get(path.suffix.casefold())
    if kind is None:
        raise DeliveryError(
            "this kind of file is not read",
            where=source.file,
            allowed=" ".join(KINDS),
            next_step="export the table in one of these formats",
        )
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise DeliveryError("the file is empty", where=source.file, next_step="deliver it again")
    _refuse_other_content(path, source.file, kind)
    return DeliveredFile(table, source.file, path, kind, sha256_of(path), n_bytes)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def delivery_hash(files: Sequence[DeliveredFile]) -> str:
    """Return one hash for all files of a delivery, whatever their names and order."""
    pairs = sorted((file.table, file.sha256) for file in files)
    return hashlib.sha256("\n".join(f"{table} {digest}" for table, digest in pairs).encode()).hexdigest()


def near_misses(wanted: str, present: Sequence[str]) -> list[str]:
    """Return the names that `wanted` may have been meant as, nearest first."""
    by_small = {name.strip().casefold(): name for name in present}
    return [by_small[small] for small in difflib.get_close_matches(wanted.strip().casefold(), by_small, n=3)]


def can_be_shown(header: str) -> bool:
    """Return whether a header cell looks like a column name: in a file without a header it is somebody's data."""
    return re.fullmatch(r"[^\W\d][^@]{0,60}", header) is not None and re.search(r"\d{5}", header) is None


def refuse_zip_bomb(file: DeliveredFile) -> None:
    """Refuse a workbook that unpacks to more than memory should be asked for; sizes are measured, not believed."""
    if file.n_bytes > _MOST_EXCEL_BYTES:
        raise _too_large(file)
    if not zipfile.is_zipfile(file.path):
        return
    try:
        with zipfile.ZipFile(file.path) as archive:
            left = _MOST_UNPACKED_BYTES
            for member in archive.infolist():
                with archive.open(member) as content:
                    while chunk := content.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise _too_large(file)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise unreadable(file, "Excel workbook") from None


def unreadable(file: DeliveredFile, what: str) -> DeliveryError:
    """Return the fault for a file that its reader gives up on; never with the reader's message, which quotes rows."""
    return DeliveryError(
        f"the file cannot be read as {what}: it is damaged, protected with a password, or something else",
        where=file.name,
        next_step="open it in the program that made it, and export it again",
    )


def _too_large(file: DeliveredFile) -> DeliveryError:
    return DeliveryError(
        "the workbook unpacks to more than is read from Excel",
        where=file.name,
        allowed=f"at most {_MOST_UNPACKED_BYTES // 2**30} GB unpacked",
        next_step="deliver the table as CSV or Parquet",
    )


def _inside(delivery: Path, name: str) -> Path:
    """Return the path of a file in the delivery; refuse one that leads out of it, by its name or by a link."""
    parts = re.split(r"[/\\]", name)
    path = delivery / name
    leads_out = name.startswith(("/", "\\", "~")) or ".." in parts or ":" in name or "\0" in name
    try:
        leads_out = leads_out or not path.resolve().is_relative_to(delivery.resolve())
    except (OSError, RuntimeError):  # links in a circle
        leads_out = True
    if leads_out:
        raise DeliveryError(
            "the file lies outside the delivery folder",
            where=name,
            allowed="a file inside the folder of the quarter",
            next_step="put the file itself in the folder and write its bare name in the plan",
        )
    return path


def _refuse_other_content(path: Path, name: str, kind: str) -> None:
    with path.open("rb") as handle:
        start = handle.read(8)
    actual = next((each for each, marks in _SIGNATURES.items() if start.startswith(marks)), None)
    expected = kind if kind in _SIGNATURES else None
    if actual != expected:
        raise DeliveryError(
            f"the file is named {path.suffix} but its content is {actual or 'something else'}",
            where=name,
            next_step="give the file the extension of what it is, here and in the plan, or export it again",
        )
