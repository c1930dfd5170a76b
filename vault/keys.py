"""The key of a programme: where it comes from, what is derived from it, and what happens when it is lost or wrong.

A key is 32 random bytes, written as 64 hexadecimal digits. It is looked for in the environment (a variable of the
programme's own, else one for the whole installation), then in ``keys/<programme>.key``, which is made on first use.
No text of an error holds a key or a part of one. Opening vaults is in `vault.connection`.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home

VARIABLE = "EFFECTMETER_KEY"
"""A key for the whole installation, from which each programme's own is derived. ``EFFECTMETER_KEY_<PROGRAMME>`` (in
capitals, hyphens as underscores) is one programme's key, and goes before it."""
_BYTES = 32
_FINGERPRINT = "key.fingerprint"


@dataclass(frozen=True, slots=True)
class Key:
    """One programme's key.

    Attributes
    ----------
    secret
        32 bytes; never shown, not even by ``repr``.
    origin
        Where it was found: a path, or the name of an environment variable.
    """

    secret: bytes = field(repr=False)
    origin: str

    def derived(self, purpose: str) -> bytes:
        """Return the 32-byte key for one purpose; keys for different purposes say nothing about each other.

        Notes
        -----
        HMAC-SHA-256 as a pseudo-random function of the purpose: the expansion step of HKDF,
        https://doi.org/10.17487/RFC5869.
        """
        return hmac.digest(self.secret, f"effectmeter:{purpose}\x01".encode(), "sha256")

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that tell this key from another one, and give nothing of it away."""
        return self.derived("fingerprint").hex()[:16]


def key_of(home: Home, programme: str, *, may_make: bool) -> Key:
    """Return a programme's key, made when it is needed for the first time.

    Parameters
    ----------
    may_make
        Whether a new key may be made; never while vaults stand that another key has locked.

    Raises
    ------
    EffectmeterError
        The key is lost, unreadable to us, readable to others, or not the one that the vaults were locked with.
    """
    found = _from_environment(programme) or _from_file(home.key(programme))
    if found is None:
        if not may_make or _recorded(home, programme) is not None or _has_locked(home, programme):
            raise _lost(home, programme)
        found = _made(home.key(programme))
    recorded = _recorded(home, programme)
    if recorded is not None and not hmac.compare_digest(recorded, found.fingerprint):
        raise EffectmeterError(
            f"this is another key than the one that the vaults of {programme} were locked with; nothing was changed",
            where=found.origin,
            next_step=f"put back the right key, in {variable_of(programme)} or in {home.key(programme)}; when it is "
            f"lost for good, run `effectmeter purge --programme {programme} --with-key` and refresh",
        )
    return found


def is_plain(path: Path) -> bool:
    """Return whether a file is a DuckDB database without encryption, by its first header."""
    with path.open("rb") as handle:
        header = handle.read(28)
    return len(header) == 28 and header[8:12] == b"DUCK" and not header[20] & 1


def record_key(home: Home, programme: str, key: Key) -> None:
    """Note beside the vaults which key locks them, so that a wrong or lost key is known before anything is written."""
    path = home.vaults(programme) / _FINGERPRINT
    if not path.exists():
        _write_once(path, key.fingerprint)


def variable_of(programme: str) -> str:
    """Return the environment variable that may hold a programme's own key."""
    return f"{VARIABLE}_{programme.upper().replace('-', '_')}"


def key_files(home: Home, programme: str) -> list[Path]:
    """Return the key file and the fingerprint of a programme, as far as they are there."""
    return [each for each in (home.key(programme), home.vaults(programme) / _FINGERPRINT) if each.is_file()]


def is_in_environment(programme: str) -> bool:
    """Return whether a programme's key comes from the environment, where nothing here can destroy it."""
    return variable_of(programme) in os.environ or VARIABLE in os.environ


def forget_key(home: Home, programme: str) -> list[Path]:
    """Destroy a programme's key file and its fingerprint; every copy of a vault becomes unreadable.

    Returns
    -------
    list of Path
        What was deleted. The key file is overwritten before: on a journalling disk that promises nothing, but it costs
        nothing either.
    """
    gone = key_files(home, programme)
    path = home.key(programme)
    if path.is_file():
        with path.open("r+b") as handle:
            handle.write(b"0" * path.stat().st_size)
            handle.flush()
            os.fsync(handle.fileno())
    for each in gone:
        each.unlink()
    return gone


def _from_environment(programme: str) -> Key | None:
    own = os.environ.get(variable_of(programme))
    if own is not None:
        return _parsed(own, f"environment variable {variable_of(programme)}")
    shared = os.environ.get(VARIABLE)
    if shared is None:
        return None
    whole = _parsed(shared, f"environment variable {VARIABLE}")
    return Key(whole.derived(f"programme:{programme}"), whole.origin)


def _from_file(path: Path) -> Key | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    if mode & 0o077:
        raise EffectmeterError(
            "others than its owner can read this key",
            where=str(path),
            allowed="rights 0600",
            next_step=f"run `chmod 600 {path}`, and ask who may have copied it",
        )
    return _parsed(text, str(path))


def _parsed(text: str, origin: str) -> Key:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise EffectmeterError(
            "this is no key",
            where=origin,
            allowed="64 hexadecimal digits (0-9, a-f), as `openssl rand -hex 32` makes them",
            next_step="put back the right key from its copy; nothing was changed",
        )
    return Key(secret, origin)


def _recorded(home: Home, programme: str) -> str | None:
    """Return the fingerprint of the key that a programme's vaults were locked with, if any were."""
    try:
        return (home.vaults(programme) / _FINGERPRINT).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def _has_locked(home: Home, programme: str) -> bool:
    """Return whether a programme has vaults that only a key opens."""
    return any(not is_plain(path) for path in home.vaults(programme).glob("*.duckdb"))


def _lost(home: Home, programme: str) -> EffectmeterError:
    return EffectmeterError(
        f"the key of {programme} is not there, and its vaults cannot be read without it; nothing was changed",
        where=str(home.key(programme)),
        next_step=f"put the key back from its copy, here or in {variable_of(programme)}; when it is lost for good, run "
        f"`effectmeter purge --programme {programme} --with-key` and refresh from the deliveries",
    )


def _made(path: Path) -> Key:
    """Make a key; when two processes do so at once, both get the one that was first."""
    _write_once(path, secrets.token_hex(_BYTES))
    key = _from_file(path)
    assert key is not None, "a key that was just written is there"
    return key


def _write_once(path: Path, text: str) -> None:
    """Write a small private file wholly or not at all, and never over another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
            handle.write(f"{text}\n")
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
