"""The committed reference page says what the rules say."""

from __future__ import annotations

from pathlib import Path

from expectations.reference import expectations_page, write_expectations_page

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/reference/expectations.md").read_text(encoding="utf-8") == expectations_page(), (
        "run `make docs`"
    )


def test_the_page_is_written_where_it_belongs(tmp_path: Path) -> None:
    path = write_expectations_page(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "expectations.md"
    assert "| `events_person_id_exists` | critical |" in text
    assert "{" not in text
