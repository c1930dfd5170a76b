"""How far a refresh of one or more programmes is, and how long it may still take. Words only; nothing is run here."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from pipelines.printing import STEPS

_ENOUGH = 0.25
"""Share of the work that must be done before what is left is guessed: the first steps of a run say little."""


class Progress:
    """Counts the steps of a refresh as they begin, one programme after another.

    Parameters
    ----------
    n_programmes
        How many will be refreshed.
    clock
        Seconds; `time.monotonic` unless a test says otherwise.
    """

    def __init__(self, n_programmes: int, clock: Callable[[], float] = monotonic) -> None:
        self._n_programmes = max(n_programmes, 1)
        self._clock = clock
        self._began = clock()
        self._programmes: list[str] = []
        self._steps = 0

    def line(self, programme: str, step: str) -> str:
        """Return what to say as a step begins: seconds so far, where we are, what is done, what is left.

        Examples
        --------
        >>> Progress(1, clock=lambda: 0.0).line("tarp", "reading the delivery")
        '    0.0 s  tarp: reading the delivery'
        """
        if programme not in self._programmes:
            self._programmes.append(programme)
            self._steps = 0
        elapsed = self._clock() - self._began
        number = len(self._programmes)
        where = f"{number}/{self._n_programmes} " if self._n_programmes > 1 else ""
        share = (number - 1 + min(self._steps / len(STEPS), 1.0)) / self._n_programmes
        self._steps += 1
        left = f", about {duration(elapsed / share - elapsed)} left" if share >= _ENOUGH else ""
        return f"  {elapsed:5.1f} s  {where}{programme}: {step}{left}"


def duration(seconds: float) -> str:
    """Return a time in the unit that a person would use.

    Examples
    --------
    >>> duration(8.2), duration(42), duration(150), duration(8000)
    ('10 s', '50 s', '3 min', '2 h 20 min')
    """
    if seconds < 60:
        return f"{max(-(-seconds // 10), 1) * 10:.0f} s"
    minutes = -(-seconds // 60)
    if minutes < 60:
        return f"{minutes:.0f} min"
    tens = -(-minutes // 10) * 10
    return f"{tens // 60:.0f} h {tens % 60:.0f} min"
