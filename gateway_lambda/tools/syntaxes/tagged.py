"""Calls with a tag for each argument. The schema of the function says which type the text of an argument has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway_lambda.tools.json_call import dump_object
from gateway_lambda.tools.syntaxes.frame import Call, Frame, Functions
from gateway_lambda.tools.syntaxes.header import NAME, SPACE, Header, Part, literal
from gateway_lambda.tools.syntaxes.typed_text import typed_value


class Tags:
    """The tags of one form. `opening` has the groups `key`, and perhaps `string`: "true" or "false"."""

    def __init__(self, opening: str, closing: str, *ends: str) -> None:
        self.opening = re.compile(opening)
        self.closing = re.compile(rf"{re.escape(closing)}|(?=\n[ \t]*{opening})")
        """Where a value ends. Models forget the closing tag: then it ends before a line with the next tag."""
        self.ends = ends
        self.end = re.compile("|".join(map(re.escape, ends)))
        self.longest = max(map(len, ends))

    def body(self, name: str, header: str) -> TaggedBody:
        """Return the body of a call of function `name`."""
        return TaggedBody(self, name)

    def begun(self, name: str, header: str) -> TaggedBody:
        """Return the body of a call of function `name`, whose header ends with the first tag."""
        body = TaggedBody(self, name)
        body.step(header, header.index("<"))
        return body


class TaggedBody:
    """The arguments of one call, up to its end."""

    def __init__(self, tags: Tags, name: str) -> None:
        self._tags = tags
        self._name = name
        self._parts: list[str] = []
        self._tail = ""
        self.over = False

    def step(self, text: str, at: int) -> int:
        """Take more of `text` from `at`, up to the end of the call."""
        seen = self._tail + text[at:]
        found = self._tags.end.search(seen)
        end = at + found.end() - len(self._tail) if found else len(text)
        self._parts.append(text[at:end])
        self._tail = seen[1 - self._tags.longest :]
        self.over = found is not None
        return end

    def calls(self, functions: Functions) -> list[Call]:
        """Return the call; none if there is text outside its tags."""
        text = "".join(self._parts)
        for end in self._tags.ends:
            text = text.removesuffix(end)
        arguments = self._arguments(text, functions[self._name])
        return [] if arguments is None else [Call(self._name, dump_object(arguments))]

    def _arguments(self, text: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        arguments: dict[str, Any] = {}
        at = 0
        while text[at:].strip():
            opening = self._tags.opening.search(text, at)
            if opening is None or text[at : opening.start()].strip():
                return None
            closing = self._tags.closing.search(text, opening.end())
            end, at = closing.span() if closing else (len(text), len(text))
            value = text[opening.end() : end].removeprefix("\n").removesuffix("\n")
            as_text = opening.groupdict().get("string")
            if as_text is None:
                arguments[opening["key"]] = typed_value(value, opening["key"], schema)
            else:
                arguments[opening["key"]] = value if as_text == "true" else _json_or_text(value)
        return arguments


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


_PARAMETERS = Tags(r"<parameter=(?P<key>[^>\n]+)>", "</parameter>", "</function>")
_FUNCTION = Header(SPACE, literal("<function="), NAME, literal(">"))

QWEN = (
    Frame("<tool_call>", ("</tool_call>",), _FUNCTION, _PARAMETERS.body, repeats=True),
    Frame("<function=", ("</tool_call>",), Header(NAME, literal(">"), SPACE, Part("(?=<)", "")), _PARAMETERS.body),
)
"""Qwen3-Coder and later, Nemotron 3: `<function=name>`, `<parameter=key>` and values, each in lines of its own."""

SEED = Frame("<seed:tool_call>", ("</seed:tool_call>",), _FUNCTION, _PARAMETERS.body, repeats=True)
"""Seed-OSS."""

_GLM_TAGS = Tags(r"<arg_key>\s*(?P<key>[^<]*?)\s*</arg_key>\s*<arg_value>", "</arg_value>", "</tool_call>")
_GLM_NEXT = Part(r"(?:<arg_key>|</tool_call>)", f"(?:{literal('<arg_key>').begun}|{literal('</tool_call>').begun})")
GLM = Frame(
    "<tool_call>",
    (),
    Header(SPACE, NAME, SPACE, _GLM_NEXT),
    _GLM_TAGS.begun,
    inner=frozenset(("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>")),
)
"""GLM 4.5 and later: the name, then pairs of `<arg_key>` and `<arg_value>`."""

_INVOKED = Tags(r'<parameter name="(?P<key>[^"]+)"[^>]*>', "</parameter>", "</invoke>")
MINIMAX = Frame(
    "<minimax:tool_call>",
    ("</minimax:tool_call>",),
    Header(SPACE, literal('<invoke name="'), NAME, literal('"'), Part("[^>]*>", "[^>]*")),
    _INVOKED.body,
    repeats=True,
)
"""MiniMax M2."""

_DSML_TAGS = Tags(
    r'<｜DSML｜parameter name="(?P<key>[^"]+)"(?: string="(?P<string>true|false)")?>',
    "</｜DSML｜parameter>",
    "</｜DSML｜invoke>",
)
_DSML_INVOKE = Header(SPACE, literal('<｜DSML｜invoke name="'), NAME, literal('">'))
DSML = tuple(
    Frame(f"<｜DSML｜{name}>", (f"</｜DSML｜{name}>",), _DSML_INVOKE, _DSML_TAGS.body, repeats=True)
    for name in ("function_calls", "tool_calls")
)
"""DeepSeek V3.2, and V4."""
