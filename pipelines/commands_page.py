"""The reference page of the command line, written from the commands themselves (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from pipelines.cli import app

_INTRODUCTION = """\
# Commands

<!-- Made by `make docs` from the code; edit that, not this page. -->

Run them as `.venv/bin/effectmeter`, or put `.venv/bin` on the path. Results go to standard output; progress and
refusals go to standard error.

| exit code | meaning |
|---|---|
| 0 | done. A report was published, however many of its effects are hidden |
| 1 | the plan or the delivery is at fault; nothing was published |
| 2 | wrong usage: a command, option, programme or quarter that is not there |
| 3 | the release gate refused to publish, or an approval was refused |"""


def commands_page() -> str:
    """Return the page as Markdown."""
    return "\n\n".join([_INTRODUCTION, *(_section(name, command) for name, command in commands())]) + "\n"


def write_commands_page(folder: Path) -> Path:
    """Write ``commands.md`` into `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "commands.md"
    path.write_text(commands_page(), encoding="utf-8")
    return path


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its full name: ``plan new``."""
    yield from _below("", typer.main.get_command(app))


def _below(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(f"{prefix}{name} ", command)
        else:
            yield f"{prefix}{name}", command


def _section(name: str, command: Any) -> str:
    explained, _, example = command.help.partition("Example: ")
    lines = [f"## effectmeter {name}", "", explained.strip(), "", "```sh", example.strip(), "```", ""]
    lines += ["| option | meaning |", "|---|---|"]
    for param in command.params:
        is_argument = param.param_type_name == "argument"
        label = param.name if is_argument else ", ".join(param.opts)
        needed = " Needed." if param.required else ""
        lines.append(f"| `{label}` | {param.help.rstrip('.')}.{needed} |")
    return "\n".join(lines)
