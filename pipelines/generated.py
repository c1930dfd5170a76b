"""Everything in the repository that is generated from code: JSON Schemas and reference pages (``make docs``)."""

from pathlib import Path

from assets.provenance import ROOT


def write_generated(root: Path = ROOT) -> list[Path]:
    """Write schemas and reference pages below `root`; a test holds that the committed ones are current."""
    from effectmeter.reference import write_reference, write_schemas
    from expectations.reference import write_expectations_page
    from pipelines.commands_page import write_commands_page
    from pipelines.gates_page import write_gates_page

    return [
        *write_schemas(root / "schemas"),
        *write_reference(root / "docs" / "reference"),
        write_expectations_page(root / "docs" / "reference"),
        write_commands_page(root / "docs" / "reference"),
        write_gates_page(root / "docs" / "reference"),
    ]


if __name__ == "__main__":
    write_generated()
