"""Read YAML text into nodes with line numbers, with PyYAML's own parser and resolver, and within limits.

The nodes are those of `yaml.safe_load`, with which dstack reads a file. This module builds them itself for two reasons:
it limits the depth before anything recurses, and it does not expand aliases until their number is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from infra.configuration.problem import Problem, UnreadableText

DEEPEST = 40
"""Levels of maps and lists. A configuration has eight; Python's stack has room for many more."""

_TAG = "tag:yaml.org,2002:"


@dataclass(eq=False)
class Scalar:
    """A single value. `tag` is its YAML tag without the standard prefix: str, int, float, bool, null, timestamp, …"""

    tag: str
    text: str
    line: int


@dataclass(eq=False)
class Sequence:
    tag: str
    line: int
    items: list[Node] = field(default_factory=list["Node"])


@dataclass(eq=False)
class Map:
    tag: str
    line: int
    pairs: list[tuple[Node, Node]] = field(default_factory=list[tuple["Node", "Node"]])


Node = Scalar | Sequence | Map
"""Nodes are compared by identity: an alias is the same object as the node of its anchor."""


def compose(text: str) -> Node | None:
    """Return the root node of the one document in `text`, or None when the text is empty.

    Raises `UnreadableText` when the text is not YAML, is nested too deeply, or holds a second document.
    """
    try:
        return _Composer(text).document()
    except yaml.MarkedYAMLError as error:
        raise UnreadableText(_syntax_problem(error, text)) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        remedy = "check the quotes, brackets and escapes"
        problem = Problem(where="", line=1, rule="a configuration must be YAML", remedy=remedy)
        raise UnreadableText(problem) from None


def construct(scalar: Scalar) -> object:
    """Return the plain value of a scalar with a standard tag. Raises `ValueError` when the text does not fit it."""
    loader: Any = yaml.SafeLoader("")
    try:
        return cast(object, loader.construct_object(yaml.ScalarNode(_TAG + scalar.tag, scalar.text)))
    except (yaml.YAMLError, ValueError, KeyError, IndexError, AttributeError, OverflowError, TypeError) as error:
        raise ValueError(scalar.tag) from error


class _Composer:
    def __init__(self, text: str) -> None:
        self._loader: Any = yaml.SafeLoader(text)
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        self._loader.get_event()
        if self._loader.check_event(yaml.StreamEndEvent):
            return None
        self._loader.get_event()
        node = self._node(1)
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            rule = "a file must hold one configuration, as one YAML document"
            raise _unreadable(self._loader.peek_event(), "a second document", rule, "put each document in its own file")
        return node

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        line = int(event.start_mark.line) + 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            rule = f"maps and lists can be nested at most {DEEPEST} levels deep"
            raise _unreadable(event, None, rule, "check the brackets and the indentation")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            scalar: Any = event
            node = Scalar(self._tag(scalar, yaml.ScalarNode), str(scalar.value), line)
            self._remember(event, node)
            return node
        if isinstance(event, yaml.SequenceStartEvent):
            node = Sequence(self._tag(event, yaml.SequenceNode), line)
            self._remember(event, node)
            while not self._loader.check_event(yaml.SequenceEndEvent):
                node.items.append(self._node(depth + 1))
        else:
            node = Map(self._tag(event, yaml.MappingNode), line)
            self._remember(event, node)
            while not self._loader.check_event(yaml.MappingEndEvent):
                key = self._node(depth + 1)
                node.pairs.append((key, self._node(depth + 1)))
        self._loader.get_event()
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            rule = "an alias must name an anchor above it"
            raise _unreadable(event, None, rule, "define the anchor before the alias")
        return self._anchors[event.anchor]

    def _remember(self, event: Any, node: Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _tag(self, event: Any, kind: type[yaml.Node]) -> str:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(kind, getattr(event, "value", None), event.implicit)
        return str(tag).removeprefix(_TAG)


def _unreadable(event: Any, found: str | None, rule: str, remedy: str) -> UnreadableText:
    return UnreadableText(Problem(where="", line=event.start_mark.line + 1, found=found, rule=rule, remedy=remedy))


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """Return the parser's message with the line number. The text of the line may hold a secret and is never shown."""
    mark: Any = error.problem_mark or error.context_mark
    line = int(mark.line) + 1 if mark else 1
    rows = text.splitlines()
    row = rows[line - 1] if line <= len(rows) else ""
    if "\t" in row[: len(row) - len(row.lstrip())]:
        found, rule = "a tab in the indentation", "YAML must be indented with spaces"
        return Problem(where="", line=line, found=found, rule=rule, remedy="replace each tab with spaces")
    said = [str(words) for words in (error.context, error.problem) if words]
    found = re.sub(r"""(['"])(?!<)[^'"]{2,}\1""", "something", ", ".join(said))
    remedy = "check the indentation, colons, quotes and brackets on this line and above it"
    return Problem(where="", line=line, found=found, rule="a configuration must be YAML", remedy=remedy)
