"""From delivered files to typed standard tables; every rejected row counted by reason, never by content."""

from __future__ import annotations

from vault.intake.landing import LandedFile, LandingReport, RejectCount, land

__all__ = ["LandedFile", "LandingReport", "RejectCount", "land"]
