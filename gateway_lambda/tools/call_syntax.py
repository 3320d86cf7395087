"""The syntaxes of calls, by name, and the one that a chat template names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from gateway_lambda.generation.stops import Stops
from gateway_lambda.tools.syntaxes import json_arguments, json_objects, pythonic, tagged
from gateway_lambda.tools.syntaxes.frame import Frame


class CallSyntax:
    """The frames in which a model writes calls.

    `openers`: the frames of each text that announces calls, which `opener` finds. `closers`: the texts behind calls.
    `bare`: the frames without an opener, for calls that stand at the start of a line with one of the characters
    `bare_firsts`; `start` finds these too. `firsts`: the first characters of all.
    """

    def __init__(self, *frames: Frame, bare: str = "") -> None:
        self.frames = frames
        self.openers: dict[str, tuple[Frame, ...]] = {}
        for frame in frames:
            if frame.opener:
                self.openers[frame.opener] = (*self.openers.get(frame.opener, ()), frame)
        self.closers = frozenset(closer for frame in frames for closer in frame.closers)
        self.bare = tuple(frame for frame in frames if not frame.opener)
        self.bare_firsts = bare
        self.firsts = tuple(dict.fromkeys((*(opener[0] for opener in self.openers), *bare)))
        texts = [re.escape(opener) for opener in sorted(self.openers, key=len, reverse=True)]
        self.opener = re.compile("|".join(texts) or r"(?!)")
        if bare:
            texts.append(rf"\n[ \t]*[{re.escape(bare)}]")
        self.start = re.compile("|".join(texts) or r"(?!)")
        self._texts = Stops(self.openers)
        self._longest = max(map(len, self.openers), default=0)

    def opener_at(self, text: str, at: int) -> str | None:
        """Return the opener at `at`; "" if what is there can become one; None if not."""
        for opener in self.openers:
            if text.startswith(opener, at):
                return opener
        rest = text[at : at + self._longest]
        return "" if any(opener.startswith(rest) for opener in self.openers) else None

    def unfinished_opener(self, text: str, at: int) -> int:
        """Return where an unfinished opener at the end of `text` starts; the length of `text` without one."""
        begin = max(at, len(text) - self._longest)
        return len(text) - self._texts.unfinished(text[begin:])


_TAGGED = (*tagged.QWEN, tagged.SEED, tagged.MINIMAX, *tagged.DSML)
_BARE = json_objects.BARE

SYNTAXES: Mapping[str, CallSyntax] = {
    "hermes": CallSyntax(json_objects.TOOL_CALL),
    "llama3": CallSyntax(json_objects.PYTHON_TAG, _BARE, bare="{"),
    "mistral": CallSyntax(json_objects.TOOL_CALLS_CONTROL, json_arguments.MISTRAL, _BARE, bare="["),
    "deepseek": CallSyntax(*json_arguments.DEEPSEEK),
    "dsml": CallSyntax(*tagged.DSML),
    "function": CallSyntax(json_arguments.FUNCTION),
    "functools": CallSyntax(json_objects.FUNCTOOLS, json_objects.TOOL_CALL_CONTROL),
    "glm": CallSyntax(tagged.GLM),
    "granite": CallSyntax(json_objects.TOOL_CALL_CONTROL, json_objects.TOOL_CALL, json_objects.FUNCTION_CALL),
    "kimi": CallSyntax(*json_arguments.KIMI),
    "lfm2": CallSyntax(pythonic.TOOL_CALL_START),
    "minimax": CallSyntax(tagged.MINIMAX, json_objects.TOOL_CALLS),
    "nemotron": CallSyntax(json_objects.TOOLCALL),
    "pythonic": CallSyntax(pythonic.PYTHON_START, pythonic.BARE, bare="["),
    "qwen_coder": CallSyntax(*tagged.QWEN),
    "seed": CallSyntax(tagged.SEED),
    "xlam": CallSyntax(json_objects.FENCE, json_objects.TOOL_CALLS_CONTROL, _BARE, bare="{["),
    "any": CallSyntax(
        *(json_objects.TOOL_CALL, json_objects.PYTHON_TAG, json_objects.TOOL_CALLS_CONTROL),
        *(json_objects.TOOL_CALL_CONTROL, json_objects.TOOL_CALLS, json_objects.TOOLCALL, json_objects.FUNCTION_CALL),
        *(json_arguments.MISTRAL, json_arguments.FUNCTION, *json_arguments.DEEPSEEK, *json_arguments.KIMI),
        *(*tagged.QWEN, tagged.SEED, tagged.GLM, tagged.MINIMAX, *tagged.DSML),
        *(pythonic.PYTHON_START, pythonic.TOOL_CALL_START, pythonic.BARE, _BARE),
        bare="{[",
    ),
    "forced": CallSyntax(_BARE, bare="{"),
}
"""`any` has all whose texts announce nothing else. `forced` is what the grammar in `forced_call_grammar.py` makes."""

_IN_TEMPLATES = (
    ("<|channel|>analysis<|message|>", "harmony"),
    ("DSML", "dsml"),
    ("<｜tool▁calls▁begin｜>", "deepseek"),
    ("<|tool_calls_section_begin|>", "kimi"),
    ("minimax:tool_call", "minimax"),
    ("<seed:tool_call>", "seed"),
    ("<arg_key>", "glm"),
    ("<tool_call>\\n<function=", "qwen_coder"),
    ("<tool_call>\n<function=", "qwen_coder"),
    ("<function=", "function"),
    ("[TOOL_CALLS]", "mistral"),
    ("<|tool_call_start|>", "lfm2"),
    ("<|python_start|>", "pythonic"),
    ("<TOOLCALL>", "nemotron"),
    ("<tool_calls>", "minimax"),
    ("functools", "functools"),
    ("<|tool|>", "functools"),
    ("<|tool_call|>", "granite"),
    ("<tool_call>", "hermes"),
)
"""Texts of templates, the most particular first, and the syntax that each names. gpt-oss has a parser of its own."""


@lru_cache(maxsize=256)
def named_in_templates(templates: tuple[str, ...]) -> str:
    """Return the name of the syntax that chat templates name; "any" if they name none."""
    return next((name for text, name in _IN_TEMPLATES if any(text in template for template in templates)), "any")


@lru_cache(maxsize=64)
def with_bare_objects(name: str) -> CallSyntax:
    """Return a syntax that also has JSON objects without an opener, which models write when they forget it."""
    syntax = SYNTAXES[name]
    frames = syntax.frames if _BARE in syntax.frames else (*syntax.frames, _BARE)
    return CallSyntax(*frames, bare="{[")
