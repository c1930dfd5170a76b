"""Reading the YAML of a plan, strictly: what is written is what is meant, and every value knows its line.

Plain YAML surprises that matter here are switched off: ``no`` and ``on`` stay words, ``01`` stays a code, keys stay as
they are written. Tags, aliases, doubled keys and several documents are faults. No knowledge of plans lives here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from effectmeter.errors import EffectmeterError

MAXIMUM_BYTES = 100_000
"""Plans are a few kilobytes; anything far beyond is not a plan."""
_MAXIMUM_DEPTH = 20

_INTEGER = re.compile(r"[-+]?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"(?=.*\d\.|.*\.\d)[-+]?(0|[1-9]\d*)?\.\d*([eE][-+]?\d{1,3})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_ALIAS = "aliases (*name) are not used in plans"
_ANCHOR = "anchors (&name) are not used in plans"
_TAG = "tags (!name) are not used in plans"
_DEEP = "nested too deeply for a plan"
_ADVICE = {
    _ALIAS: "write the value out; put quotes around a text that begins with *",
    _ANCHOR: "write the value out; put quotes around a text that begins with &",
    _TAG: "leave the tag out; put quotes around a text that begins with !",
    _DEEP: f"at most {_MAXIMUM_DEPTH} levels; look for a bracket that is not closed",
}

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """A YAML document as plain values, with the line of every key and list item.

    Attributes
    ----------
    value
        Mappings with text keys, lists, texts, numbers, dates, booleans, None.
    lines
        Address -> line number, counted from 1.
    faults
        (address, line, what is wrong) of doubled keys and the like.
    """

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[tuple[Path, int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing around it that is written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _refused(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes; refuses what a plan has no use for before anything is built from it."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent):
            raise _refused(_ALIAS, event)
        if getattr(event, "tag", None) is not None:
            raise _refused(_TAG, event)
        if getattr(event, "anchor", None) is not None:
            raise _refused(_ANCHOR, event)
        self.depth += 1
        if self.depth > _MAXIMUM_DEPTH:
            raise _refused(_DEEP, event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(text: str, where: str) -> Document:
    """Read one YAML document.

    Raises
    ------
    EffectmeterError
        When `text` is not YAML, or uses tags, anchors or aliases; names the line.
    """
    try:
        node = _StrictLoader(text).get_single_node()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        raise EffectmeterError(
            f"not readable as YAML: {fault.problem or fault.context}",
            where=f"{where}{line}",
            next_step=_ADVICE.get(
                fault.problem or "", "look here and one line up: indentation, colons, quotes, brackets"
            ),
        ) from None
    except yaml.YAMLError:
        raise EffectmeterError(
            "not readable as YAML: it holds control characters", where=where, next_step="save it as plain UTF-8 text"
        ) from None
    document = Document()
    if node is not None:
        document.value = _build(node, (), document)
    return document


def _build(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, position), document) for position, item in enumerate(node.value)]
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.faults.append((path, line, "a key must be a single word, not a list or a mapping"))
            continue
        key = key_node.value
        if key in built:
            first = document.lines[(*path, key)]
            document.faults.append(((*path, key), line, f"'{key[:40]}' is written twice; the first is on line {first}"))
            continue
        document.lines[(*path, key)] = line
        built[key] = _build(value_node, (*path, key), document)
    return built


def _scalar(node: yaml.ScalarNode) -> Any:
    """Return a scalar's value by the YAML 1.2 core rules and ISO dates; quoted scalars are texts."""
    text: str = node.value
    if node.style is not None:
        return text
    words: Mapping[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text
