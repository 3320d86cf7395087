"""The form in which a template takes messages, found by rendering short conversations with it.

Templates differ in what they do with a value: one joins content to text, another walks its parts; one prints the
arguments of a tool call with `tojson`, another joins them as text. What a template does is seen in what it prints.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from gateway_lambda.templates.errors import TemplateError, TemplateLimit
from gateway_lambda.templates.json_value import Json, JsonObject
from gateway_lambda.templates.shape import PLAIN, Empty, Shape

MAX_TRIAL_SECONDS: Final = 2.0
"""Processor time for all trials of one template. Public templates take less than a tenth of it."""

_VALUES: Final = ("70411", "70422")
"""Arguments of calls. Digits, which a template's `upper` or `title` leaves alone."""
_FIRST: Final = "80533"
_SECOND: Final = "80544"
"""Content."""
_PRINTED_PART: Final = re.compile(rf"text['\"]\s*:\s*['\"](?:{_FIRST}|{_SECOND})")
"""A part that a template prints as it is, not its text."""
_PRINTED_OBJECT: Final = re.compile(r"\{'value':|\\\"value\\\"")
"""Arguments as Python writes an object, or as JSON writes a text with JSON in it."""
_TOOLS: Final[list[Any]] = [
    {
        "type": "function",
        "function": {
            "name": "lookup",
            "description": "d",
            "parameters": {"type": "object", "properties": {"value": {"type": "string", "description": "d"}}},
        },
    }
]
_TOKENS: Final = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class _Trials:
    """Renderings of one template. Failed ones give an empty text."""

    def __init__(self, render: Callable[[dict[str, Any]], str], functions: dict[str, Any]) -> None:
        self._render = render
        self._base = {**functions, **_TOKENS, "strftime_now": _day}
        self._end = time.thread_time() + MAX_TRIAL_SECONDS

    def text(self, messages: list[JsonObject], tools: list[Any] | None) -> str:
        if time.thread_time() > self._end:
            raise TemplateLimit(f"trials of the chat template take more than {MAX_TRIAL_SECONDS:g} s")
        variables = {
            **self._base,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "add_generation_prompt": True,
        }
        try:
            return self._render(variables)
        except TemplateLimit:
            raise
        except TemplateError:
            return ""


def shape_of(source: str, render: Callable[[dict[str, Any]], str], functions: dict[str, Any]) -> Shape:
    """The shape of the template `source`, which `render` renders. `functions` are the environment's variables."""
    shape = Shape(
        keeps_developer="developer" in source,
        parts=frozenset(),
        wraps=frozenset(),
        later_system=True,
        plain=PLAIN,
        text_arguments=False,
        only_objects=False,
        short_ids=False,
        empty="text",
    )
    trials = _Trials(render, functions)
    roles = ("user", "assistant", "system")
    try:
        shape = _with_contents(shape, roles, trials)
        shape = _with_calls(shape, trials)
        shape = _with_broken_arguments(shape, trials)
        shape = _with_contents(shape, (*roles, "tool"), trials)
        shape = shape._replace(later_system=_prints_later_system(shape, trials))
        return _with_developer(shape, trials) if shape.keeps_developer else shape
    except TemplateLimit:
        return shape


def _with_calls(shape: Shape, trials: _Trials) -> Shape:
    """The first form of calls that the template prints, or the first that it takes if it prints none."""
    taken: Shape | None = None
    for rounds in (2, 1, 0):
        plain = trials.text([_user(shape), _answer(shape), _user(shape)], _TOOLS)
        for candidate in _candidates(shape):
            text = trials.text(_calls(candidate, rounds), _TOOLS)
            if not text or text.count("None") > plain.count("None"):
                continue
            taken = taken or candidate
            printed = all(value in text for value in _VALUES[: max(rounds, 1)]) and "lookup" in text
            if printed and not _PRINTED_OBJECT.search(text):
                return candidate
    return taken or shape


def _with_broken_arguments(shape: Shape, trials: _Trials) -> Shape:
    """The shape with what the template does to arguments that the model did not finish."""
    messages = _calls(shape, 1)
    if shape.text_arguments or _VALUES[0] not in trials.text(messages, _TOOLS):
        return shape
    call = _call(shape, 0)
    call["function"] = {"name": "lookup", "arguments": f'{{"value": "{_VALUES[0]}'}
    messages[1]["tool_calls"] = [call]
    return shape._replace(only_objects=_VALUES[0] not in trials.text(messages, _TOOLS))


def _candidates(shape: Shape) -> Iterator[Shape]:
    empties: tuple[Empty, ...] = ("absent", "null", "text")
    for short_ids in (False, True):
        for text_arguments in (False, True):
            for empty in empties:
                yield shape._replace(short_ids=short_ids, text_arguments=text_arguments, empty=empty)


def _with_contents(shape: Shape, roles: tuple[str, ...], trials: _Trials) -> Shape:
    """The shape with what the template takes as the content of `roles`, found one after the other."""
    for role in roles:
        texts, parts = _taken(role, shape, trials)
        wraps = shape.wraps | {role} if parts and not texts else shape.wraps - {role}
        shape = shape._replace(
            parts=shape.parts | {role} if parts else shape.parts - {role},
            wraps=wraps,
            plain=tuple(name for name in PLAIN if name not in wraps),
        )
    return shape


def _with_developer(shape: Shape, trials: _Trials) -> Shape:
    """The shape with what the template takes from developers, if it prints that at all."""
    if _taken("developer", shape, trials) == (False, False):
        return shape._replace(keeps_developer=False)
    return _with_contents(shape, ("developer",), trials)


def _prints_later_system(shape: Shape, trials: _Trials) -> bool:
    """Whether the template prints a system message between turns, and at the end."""
    first: JsonObject = {"role": "system", "content": _content("system", "s", shape)}
    later: JsonObject = {"role": "system", "content": _content("system", _FIRST, shape)}
    user, answer = _user(shape), _answer(shape)
    conversations = ([first, user, answer, later, user], [first, user, later], [first, later, user])
    texts = [trials.text(messages, None) or trials.text(messages, _TOOLS) for messages in conversations]
    return all(_FIRST in text for text in texts)


def _taken(role: str, shape: Shape, trials: _Trials) -> tuple[bool, bool]:
    """Whether the template takes texts, and parts, as the content of `role`: wherever it prints such content at all."""
    parts = [{"type": "text", "text": _FIRST}, {"type": "text", "text": _SECOND}]
    text_taken, parts_taken, parts_lost = False, False, False
    for tools in (None, _TOOLS):
        for of_text, of_parts in zip(_turns(role, _FIRST + _SECOND, shape), _turns(role, parts, shape), strict=True):
            printed = trials.text(of_text, tools).count(_FIRST)
            walked = trials.text(of_parts, tools)
            walks = walked.count(_FIRST) > 0 and not _PRINTED_PART.search(walked)
            if printed:
                walks = walks and walked.count(_SECOND) >= printed
            text_taken |= printed > 0
            parts_taken |= walks and walked.count(_FIRST) >= printed
            parts_lost |= printed > 0 and (not walks or walked.count(_FIRST) < printed)
    return text_taken, parts_taken and not parts_lost


def _turns(role: str, content: Any, shape: Shape) -> list[list[JsonObject]]:
    """Conversations with `content` in each place that `role` can have."""
    turn: JsonObject = {"role": role, "content": content}
    user, answer = _user(shape), _answer(shape)
    if role == "user":
        system: JsonObject = {"role": "system", "content": _content("system", "s", shape)}
        return [[turn], [turn, answer, turn], [system, turn, answer, turn]]
    if role == "assistant":
        return [[user, turn, user], [user, turn, user, {**turn, "tool_calls": [_call(shape, 0)]}]]
    if role == "tool":
        called = _calls(shape, 1)
        called[2]["content"] = content
        return [called, [*called, answer, user]]
    return [[turn, user], [turn, user, answer, user]]


def _calls(shape: Shape, rounds: int) -> list[JsonObject]:
    """A conversation with this many calls and their results, or with a call that has no result."""
    messages = [_user(shape)]
    for position in range(max(rounds, 1)):
        turn: JsonObject = {"role": "assistant", "tool_calls": [_call(shape, position)]}
        if shape.empty != "absent":
            turn["content"] = None if shape.empty == "null" else _content("assistant", "", shape)
        messages.append(turn)
        if rounds:
            identity = _identity(shape, position)
            messages.append(
                {"role": "tool", "content": _content("tool", "r", shape), "tool_call_id": identity, "name": "lookup"}
            )
    if rounds == 2:
        messages += [_answer(shape), _user(shape)]
    return messages


def _call(shape: Shape, position: int) -> JsonObject:
    value = _VALUES[position]
    arguments: Any = f'{{"value": "{value}"}}' if shape.text_arguments else {"value": value}
    function: JsonObject = {"name": "lookup", "arguments": arguments}
    return {"id": _identity(shape, position), "type": "function", "function": function}


def _identity(shape: Shape, position: int) -> str:
    return f"abcd1234{position}" if shape.short_ids else f"call_abcdefgh1234567890ABCDE{position}"


def _user(shape: Shape) -> JsonObject:
    return {"role": "user", "content": _content("user", "q", shape)}


def _answer(shape: Shape) -> JsonObject:
    return {"role": "assistant", "content": _content("assistant", "a", shape)}


def _content(role: str, text: str, shape: Shape) -> Json:
    return [{"type": "text", "text": text}] if role in shape.wraps else text


def _day(form: str) -> str:
    return time.strftime(form, time.gmtime(0))
