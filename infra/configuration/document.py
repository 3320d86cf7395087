"""Read YAML text into plain values with line numbers, as PyYAML's `safe_load` does. dstack reads it in the same way.

It refuses what `safe_load` reads in a way that nobody means: duplicate keys, base-60 and octal numbers, tags, and
aliases that grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.configuration.nodes import DEEPEST, Map, Node, Scalar, Sequence, compose, construct
from infra.configuration.problem import HIDDEN, KeyPath, Problem, UnreadableText, line_at, spell

LARGEST_FILE = 256 * 1024
"""Bytes. The longest chat templates have about 10 KB. Pure Python reads this much YAML in about two seconds."""
MOST_VALUES = 20_000
"""Values after aliases are expanded. The longest configurations have some hundreds."""
LONGEST_NUMBER = 100
"""Characters. Python does not convert numbers of more than 4,300 digits."""

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that YAML 1.1 does not allow."""
_UNMEANT_NUMBER = re.compile(r"[-+]?(?P<base60>\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?|0[0-7_]+)", re.ASCII)
_READ_AS = {"bool": "true or false", "null": "nothing", "int": "a number", "float": "a number", "timestamp": "a date"}


@dataclass
class Document:
    """The content of a text: plain values, the line of each value, and how numbers, booleans and nulls were written."""

    data: object = None
    lines: dict[KeyPath, int] = field(default_factory=dict[KeyPath, int])
    written: dict[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    problems: list[Problem] = field(default_factory=list[Problem])
    unread: set[KeyPath] = field(default_factory=set[KeyPath])
    """The places of values that could not be read. `problems` already has a problem for each."""

    def line(self, path: KeyPath) -> int | None:
        """Return the line of the value at `path`, or of the nearest value around it; None if no value has a line."""
        return line_at(self.lines, path)


def is_private(path: KeyPath) -> bool:
    """Return whether the value at `path` may be a credential, so that it is never shown."""
    if path[:1] == ("env",) or path == ("registry_auth",) or "headers" in path:
        return True
    return path[-1:] in (("password",), ("upstream_api_key",))


def parse(text: str | bytes) -> Document:
    """Read as much of a text as possible. `problems` says what could not be read."""
    document = Document()
    try:
        root = compose(_decode(text))
        if root is not None:
            document.data = _Values(document).read(root)
    except UnreadableText as unreadable:
        document.problems.append(unreadable.problem)
    return document


def _decode(text: str | bytes) -> str:
    if len(text) > LARGEST_FILE:
        rule = f"a configuration must have at most {LARGEST_FILE // 1024} KiB"
        remedy = "check that this is the right file"
        raise UnreadableText(Problem(where="", found="a larger file", rule=rule, remedy=remedy))
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"the byte 0x{error.object[error.start]:02x}"
            line = error.object.count(b"\n", 0, error.start) + 1
            rule, remedy = "a configuration must be UTF-8 text", "save the file as UTF-8"
            problem = Problem(where="", line=line, found=found, rule=rule, remedy=remedy)
            raise UnreadableText(problem) from None
    text = text.removeprefix("\ufeff")
    if bad := _CONTROL.search(text):
        found, line = f"the character U+{ord(bad[0]):04X}", text.count("\n", 0, bad.start()) + 1
        rule = "YAML must not contain control characters"
        raise UnreadableText(Problem(where="", line=line, found=found, rule=rule, remedy="remove the character"))
    return text


class _Values:
    """Turns nodes into values. It expands and counts every alias and merge key."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def read(self, root: Node) -> object:
        return self._value(root, (), ())

    def _value(self, node: Node, path: KeyPath, above: tuple[Node, ...]) -> object:
        self._enter(node, path, above)
        self._document.lines.setdefault(path, node.line)
        self._document.written.pop(path, None)
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if node.tag != ("seq" if isinstance(node, Sequence) else "map"):
            self._report_tag(node, path)
            return None
        if isinstance(node, Sequence):
            return [self._value(item, (*path, index), (*above, node)) for index, item in enumerate(node.items)]
        return self._map(node, path, (*above, node))

    def _map(self, node: Map, path: KeyPath, above: tuple[Node, ...]) -> dict[str, object]:
        merged: dict[str, object] = {}
        for key, value in node.pairs:
            if key.tag == "merge":
                for source in self._merged(value, path):
                    self._enter(source, path, above)
                    merged = {**self._map(source, path, (*above, source)), **merged}
        own: dict[str, object] = {}
        for key, value in node.pairs:
            name = self._key(key, path)
            if name is None:
                continue
            if name in own:
                rule = f"a key must appear once, and this key is also on line {self._document.lines[(*path, name)]}"
                self._report(key, (*path, name), rule, "remove one of the two", "a duplicate key")
                continue
            self._document.lines[(*path, name)] = key.line
            own[name] = self._value(value, (*path, name), above)
        return {**{name: value for name, value in merged.items() if name not in own}, **own}

    def _enter(self, node: Node, path: KeyPath, above: tuple[Node, ...]) -> None:
        """Count a value before it is read, so that aliases cannot turn a small text into too many values."""
        self._count += 1
        if self._count <= MOST_VALUES and len(above) <= DEEPEST and not any(node is outer for outer in above):
            return
        rule = f"a configuration with expanded aliases must have at most {MOST_VALUES:,} values and {DEEPEST} levels"
        found = "more values or levels"
        if any(node is outer for outer in above):
            rule, found = "a value must not contain itself", "an alias of a value around it"
        remedy = "write the values instead of the aliases, and check that this is the right file"
        raise UnreadableText(Problem(where=spell(path), line=node.line, found=found, rule=rule, remedy=remedy))

    def _merged(self, node: Node, path: KeyPath) -> Iterator[Map]:
        for source in node.items if isinstance(node, Sequence) else [node]:
            if isinstance(source, Map):
                yield source
            else:
                rule = "a merge key takes only maps"
                self._report(source, path, rule, "after `<<:`, write an alias of a map", "a value that is not a map")

    def _key(self, node: Node, path: KeyPath) -> str | None:
        if not isinstance(node, Scalar):
            self._report(node, path, "a key must be text", "write a name before the colon", "a list or a map as a key")
        elif node.tag == "str":
            return node.text
        elif node.tag in _READ_AS:
            found = f"{node.text[:40]} as a key, which YAML reads as {_READ_AS[node.tag]}"
            self._report(node, path, "a key must be text", f'quote it: "{node.text[:40]}"', found)
        elif node.tag != "merge":
            self._report(node, path, "a key must be text", "remove the tag", "a key with a YAML tag")
        return None

    def _scalar(self, node: Scalar, path: KeyPath) -> object:
        if node.tag not in (*_READ_AS, "str"):
            self._report_tag(node, path)
            return None
        if node.tag != "str" and len(node.text) > LONGEST_NUMBER:
            rule = f"YAML reads this as {_READ_AS[node.tag]}, but it is too long: more than {LONGEST_NUMBER} characters"
            self._report(node, path, rule, "quote it")
            return None
        try:
            value = construct(node)
        except ValueError:
            kind = _READ_AS[node.tag]
            self._report(node, path, f"YAML reads this as {kind}, but it is not {kind}", "quote it")
            return None
        if isinstance(value, int | float) and (match := _UNMEANT_NUMBER.fullmatch(node.text)):
            base = "digits with colons as base 60" if ":" in match[0] else "digits after a leading 0 as base 8"
            found = None if is_private(path) else f"{node.text}, which YAML reads as {value}"
            remedy = "for text, quote it; for a number, write it in base 10"
            self._report(node, path, f"YAML reads {base}", remedy, found)
            return None
        if node.tag != "str":
            self._document.written[path] = node.text
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            rule = "text must not contain a NUL character or half of a surrogate pair"
            self._report(node, path, rule, "remove the escape sequence")
            return None
        return value

    def _report_tag(self, node: Node, path: KeyPath) -> None:
        """Report a tag. YAML also reads a password that begins with an exclamation mark as a tag."""
        found = "a YAML tag" if is_private(path) else f"the YAML tag {node.tag[:40]}"
        rule = "a configuration must not contain YAML tags"
        self._report(node, path, rule, "for text, quote it; otherwise, remove the tag", found)

    def _report(self, node: Node, path: KeyPath, rule: str, remedy: str, found: str | None = None) -> None:
        if found is None and isinstance(node, Scalar):
            found = HIDDEN if is_private(path) else node.text[:40]
        problem = Problem(where=spell(path), line=node.line, found=found, rule=rule, remedy=remedy)
        self._document.problems.append(problem)
        self._document.unread.add(path)
