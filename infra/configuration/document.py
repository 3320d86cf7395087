"""YAML text to plain values, read as PyYAML's `safe_load` reads it (which is how dstack reads it), with line numbers.

What `safe_load` reads in a way that nobody means is refused: duplicate keys, base-60 and octal numbers, several
documents, tags, and aliases that grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from infra.configuration.problem import KeyPath, Problem, spell

LARGEST_FILE = 256 * 1024
"""Bytes. The longest chat templates have about 10 KB; pure Python reads this much YAML in about two seconds."""
DEEPEST = 40
"""Levels of maps and lists; a configuration has eight. Keeps well inside Python's stack."""
MOST_VALUES = 20_000
"""Values once aliases are expanded; the longest configurations have some hundreds."""

_SCALARS = ("str", "int", "float", "bool", "null", "timestamp")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)
_OCTAL = re.compile(r"[-+]?0[0-7_]+", re.ASCII)


@dataclass
class Document:
    """What a text holds: plain values; the line of every value and key; how numbers, booleans and nulls were written."""

    data: object = None
    lines: dict[KeyPath, int] = field(default_factory=dict[KeyPath, int])
    written: dict[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    problems: list[Problem] = field(default_factory=list[Problem])


def parse(text: str | bytes) -> Document:
    """Everything that can be read of a text; what cannot is in `problems`."""
    document = Document()
    decoded = _decode(text, document.problems)
    if decoded is None:
        return document
    try:
        _Reader(decoded, document).read()
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error, decoded))
    except yaml.YAMLError:
        document.problems.append(_problem(None, (), "the file is YAML", "check its syntax"))
    except _Stop as stop:
        document.problems.append(stop.problem)
    return document


def _decode(text: str | bytes, problems: list[Problem]) -> str | None:
    if len(text) > LARGEST_FILE:
        found, rule = f"{len(text):,} bytes or more", f"a configuration has at most {LARGEST_FILE // 1024} KiB"
        problems.append(Problem(where="", found=found, rule=rule, remedy="check that this is the right file"))
        return None
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            found = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
            problems.append(_problem(line, (), "the text is encoded in UTF-8", "save the file as UTF-8", found))
            return None
    text = text.removeprefix("\ufeff")
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        found = f"the control character U+{ord(bad[0]):04X}"
        problems.append(_problem(line, (), "YAML has no control characters", "remove it", found))
        return None
    return text


class _Stop(Exception):
    """Nothing sensible can be read any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class _Reader:
    """Events to nodes to values. Nodes first, since an alias or a merge key can only be expanded when all is known."""

    def __init__(self, text: str, document: Document) -> None:
        self._loader = yaml.SafeLoader(text)
        self._document = document
        self._values = 0
        self._anchors: dict[str, yaml.Node] = {}

    def read(self) -> None:
        root = self._compose_document()
        if root is None:
            return
        self._document.data = self._value(root, (), set())

    def _compose_document(self) -> yaml.Node | None:
        loader = self._loader
        loader.get_event()
        if loader.check_event(yaml.StreamEndEvent):
            return None
        loader.get_event()
        node = self._compose(1)
        loader.get_event()
        if not loader.check_event(yaml.StreamEndEvent):
            line = loader.peek_event().start_mark.line + 1
            rule = "a file holds one configuration, one YAML document"
            raise _Stop(_problem(line, (), rule, "put each into its own file", "a second document"))
        return node

    def _compose(self, depth: int) -> yaml.Node:
        event: Any = self._loader.get_event()
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _Stop(_problem(mark.line + 1, (), "an alias names an anchor above it", "define the anchor first"))
            return self._anchors[event.anchor]
        if depth > DEEPEST:
            rule = f"maps and lists are nested at most {DEEPEST} deep"
            raise _Stop(_problem(mark.line + 1, (), rule, "check the brackets and the indentation"))
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag if event.tag not in (None, "!") else self._resolve(yaml.ScalarNode, event)
            return self._named(event, yaml.ScalarNode(tag, event.value, mark, event.end_mark, event.style))
        if isinstance(event, yaml.SequenceStartEvent):
            tag = event.tag if event.tag not in (None, "!") else "tag:yaml.org,2002:seq"
            sequence = yaml.SequenceNode(tag, [], mark, event.end_mark)
            self._named(event, sequence)
            while not self._loader.check_event(yaml.SequenceEndEvent):
                sequence.value.append(self._compose(depth + 1))
            self._loader.get_event()
            return sequence
        tag = event.tag if event.tag not in (None, "!") else "tag:yaml.org,2002:map"
        mapping = yaml.MappingNode(tag, [], mark, event.end_mark)
        self._named(event, mapping)
        while not self._loader.check_event(yaml.MappingEndEvent):
            key = self._compose(depth + 1)
            mapping.value.append((key, self._compose(depth + 1)))
        self._loader.get_event()
        return mapping

    def _resolve(self, kind: type[yaml.Node], event: Any) -> str:
        return str(self._loader.resolve(kind, event.value, event.implicit))

    def _named(self, event: Any, node: yaml.Node) -> yaml.Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _value(self, node: yaml.Node, path: KeyPath, above: set[int]) -> object:
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > MOST_VALUES or id(node) in above:
            rule = f"aliases expand to no more than {MOST_VALUES:,} values, and never to themselves"
            raise _Stop(_problem(line, path, rule, "write the values out"))
        self._document.lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        kind = "seq" if isinstance(node, yaml.SequenceNode) else "map"
        if node.tag != f"tag:yaml.org,2002:{kind}":
            self._report(node, path, "a configuration has no YAML tags", "remove the tag", "a YAML tag")
            return None
        inside = above | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index), inside) for index, item in enumerate(node.value)]
        return self._mapping(node, path, inside)

    def _mapping(self, node: Any, path: KeyPath, above: set[int]) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for source in self._merge_sources(value_node, path):
                    read = self._value(source, path, above)
                    if isinstance(read, dict):
                        merged = {**read, **merged}
                continue
            key = self._key(key_node, path)
            if key is None:
                self._value(value_node, path, above)
                continue
            here = (*path, key)
            if key in own:
                rule = f"a key is written once; this one is also on line {self._document.lines[here]}"
                self._report(key_node, here, rule, "remove one of the two", "a duplicate key")
                continue
            self._document.lines.pop(here, None)
            self._document.lines[here] = key_node.start_mark.line + 1
            own[key] = self._value(value_node, here, above)
        return {**{key: value for key, value in merged.items() if key not in own}, **own}

    def _merge_sources(self, node: yaml.Node, path: KeyPath) -> Iterator[yaml.Node]:
        sources: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                yield source
            else:
                self._report(source, (*path, "<<"), "a merge key takes maps", "give it an alias of a map")

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._report(node, path, "a key is text", "write a name before the colon", "a list or a map as a key")
            return None
        if node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        said = f"{node.value} as a key, which YAML reads as {_kind(node.tag)}"
        self._report(node, path, "a key is text", f'quote it: "{node.value}"', said)
        return None

    def _scalar(self, node: Any, path: KeyPath) -> object:
        tag, text = str(node.tag).removeprefix("tag:yaml.org,2002:"), str(node.value)
        if tag not in _SCALARS or node.tag == tag:
            self._report(node, path, "a configuration has no YAML tags", "remove the tag", "a YAML tag")
            return None
        if tag != "str" and path[:1] != ("env",):
            self._document.written[path] = text
        number = tag in ("int", "float") and not node.style
        if number and (_SEXAGESIMAL.fullmatch(text) or _OCTAL.fullmatch(text)):
            base = "60" if ":" in text else "8"
            remedy = "quote it if this is text, for example a port mapping; else write the number in base 10"
            self._report(node, path, f"YAML reads this as a number in base {base}, which nobody means", remedy)
            return None
        try:
            value = self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, KeyError, IndexError, OverflowError):
            self._report(node, path, f"YAML reads this as {_kind(node.tag)}, and it is none", "quote it")
            return None
        if isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
            self._report(node, path, "text has no NUL characters and no halves of surrogate pairs", "remove them")
            return None
        return value

    def _report(self, node: Any, path: KeyPath, rule: str, remedy: str, found: str | None = None) -> None:
        self._document.problems.append(_problem(node.start_mark.line + 1, path, rule, remedy, found))


def _kind(tag: str) -> str:
    names = {"bool": "true or false", "null": "nothing", "int": "a number", "float": "a number", "timestamp": "a date"}
    return names.get(tag.removeprefix("tag:yaml.org,2002:"), "something else")


def _problem(line: int | None, path: KeyPath, rule: str, remedy: str, found: str | None = None) -> Problem:
    return Problem(line=line, where=spell(path), found=found, rule=rule, remedy=remedy)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """The parser's words and the line, never the line's text: it may hold a secret."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    said = ", ".join(filter(None, (error.context, error.problem)))
    if line and "\t" in _indentation(text, line):
        return _problem(
            line, (), "YAML is indented with spaces", "replace the tabs by spaces", "a tab in the indentation"
        )
    return _problem(line, (), "the file is YAML", "check the indentation, colons, quotes and brackets here", said)


def _indentation(text: str, line: int) -> str:
    rows = text.split("\n")
    row = rows[line - 1] if line <= len(rows) else ""
    return row[: len(row) - len(row.lstrip())]
