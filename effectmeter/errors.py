"""Faults that a researcher can act on. Every other exception is a defect of ours.

An error says where the fault is, what is wrong, what is allowed and what to do next, and **never** carries a value
out of a delivery: these texts reach logs, the Dagster event log and the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence


class EffectmeterError(Exception):
    """A fault with an address and a way out.

    Parameters
    ----------
    what
        What is wrong, one sentence.
    where
        File, field, table or column; empty when it is nowhere in particular.
    allowed
        What would have been accepted.
    next_step
        What the reader does now.
    """

    exit_code = 1
    kind = "refused"
    """In one word, what kept a release back; `effectmeter.standing` says it in a sentence."""
    may_pass = False
    """Whether the same again in a minute may succeed: true of a machine that is busy, never of a refusal."""

    def __init__(self, what: str, *, where: str = "", allowed: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.allowed = allowed
        self.next_step = next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return the fault as the reader sees it: address, fault, what is allowed, what to do."""
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.next_step:
            lines.append(f"  next: {self.next_step}")
        return "\n".join(lines)


class PlanError(EffectmeterError):
    """The analysis plan is at fault. Carries every fault found, so that one pass mends all."""

    kind = "plan"

    def __init__(self, faults: Sequence[EffectmeterError], *, where: str = "", next_step: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults), where=where, next_step=next_step)

    def __str__(self) -> str:
        """Return all faults, one under the other."""
        text = "\n".join(str(fault) for fault in self.faults)
        return f"{text}\n  next: {self.next_step}" if self.next_step else text


class DeliveryError(EffectmeterError):
    """The delivery is at fault: unreadable, missing, too many rejected rows, a blocking expectation."""

    kind = "delivery"


class BusyError(EffectmeterError):
    """Another process is at it."""

    kind = "busy"
    may_pass = True


class MachineError(EffectmeterError):
    """The machine gave out: disk, memory, rights.

    Parameters
    ----------
    may_pass
        Whether it may be better in a minute: rights do not come back by waiting.
    """

    kind = "machine"

    def __init__(self, what: str, *, where: str = "", next_step: str = "", may_pass: bool = False) -> None:
        self.may_pass = may_pass
        super().__init__(what, where=where, next_step=next_step)


class UnforeseenError(EffectmeterError):
    """A fault that is told in our words because its own may quote data."""

    kind = "software"


class IdentifierError(DeliveryError):
    """The delivery carries direct identifiers. It is not stored; the column is named, the values are not."""


class UsageError(EffectmeterError):
    """The command was called wrongly."""

    exit_code = 2


class PublicationError(EffectmeterError):
    """The release gate, or a missing approval, refused to publish."""

    exit_code = 3
    kind = "gate"
