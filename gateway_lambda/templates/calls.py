"""The calls of a turn, and the results of calls, in the form in which a template takes them."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Final

from gateway_lambda.bounded_json import JsonRefused, TooMuchJson, ValueBudget
from gateway_lambda.templates.errors import refused_at
from gateway_lambda.templates.json_value import Json, JsonObject
from gateway_lambda.templates.shape import Shape

INVALID_JSON: Final = "INVALID_JSON"
"""The key of an object that holds arguments which are not JSON, as in Anthropic's documentation."""
_ID_CHARACTERS: Final = string.ascii_letters + string.digits
_ID_LENGTH: Final = 9


def shape_calls(calls: Json, index: int, shape: Shape, names: dict[str, str], budget: ValueBudget) -> list[Json] | None:
    """The calls with their arguments and ids as the template takes them; `names` gets their names by id."""
    if calls is None:
        return None
    if type(calls) is not list:
        raise refused_at(index, "tool_calls", "must be a list", "invalid_type")
    shaped: list[Json] = []
    for position, call in enumerate(calls):
        place = f"tool_calls[{position}]"
        if type(call) is not dict:
            raise refused_at(index, place, "must be an object", "invalid_type")
        if call.get("type") not in (None, "function"):
            raise refused_at(index, f"{place}.type", "only function calls are supported", "unsupported_value")
        function = call.get("function")
        if type(function) is not dict:
            raise refused_at(index, f"{place}.function", "must be an object", "invalid_type")
        name = function.get("name")
        if type(name) is not str:
            raise refused_at(index, f"{place}.function.name", "must be a string", "invalid_type")
        identity = call.get("id")
        if type(identity) is str:
            names[identity] = name
        elif identity is not None:
            raise refused_at(index, f"{place}.id", "must be a string", "invalid_type")
        shaped_call: JsonObject = {key: value for key, value in call.items() if value is not None}
        if type(identity) is str and shape.short_ids:
            shaped_call["id"] = _short_id(identity)
        shaped_call["function"] = {
            "name": name,  # first, as models learned it: templates print the object, and clients write any order
            **{key: value for key, value in function.items() if value is not None},
            "arguments": _arguments(function.get("arguments"), index, f"{place}.function.arguments", shape, budget),
        }
        shaped.append(shaped_call)
    return shaped


def _arguments(arguments: Json, index: int, place: str, shape: Shape, budget: ValueBudget) -> Json:
    """The arguments as a text or as an object.

    A model does not always finish its arguments, and clients send them back with each turn. A text that is not a JSON
    object stays as it is where the template takes it.
    """
    if arguments is None or (type(arguments) is str and arguments.strip() in ("", "null")):
        return "{}" if shape.text_arguments else {}
    if shape.text_arguments:
        try:
            return arguments if type(arguments) is str else json.dumps(arguments, ensure_ascii=False)
        except RecursionError:
            raise refused_at(index, place, "is nested too deeply", "invalid_value") from None
    if type(arguments) is not str:
        return arguments
    try:
        value: Json = budget.decode(arguments.encode())
    except TooMuchJson as problem:
        raise refused_at(index, place, f"and the arguments before it have {problem}", "invalid_value") from None
    except JsonRefused:
        value = arguments
    if type(value) is dict:
        return value
    return {INVALID_JSON: arguments} if shape.only_objects else arguments


def shape_result(message: JsonObject, index: int, shape: Shape, names: dict[str, str]) -> None:
    """Give a result the name of its call, and the id that the call got."""
    identity = message.get("tool_call_id")
    if identity is None:
        return
    if type(identity) is not str:
        raise refused_at(index, "tool_call_id", "must be a string", "invalid_type")
    if "name" not in message and identity in names:
        message["name"] = names[identity]
    if shape.short_ids:
        message["tool_call_id"] = _short_id(identity)


def _short_id(identity: str) -> str:
    """Nine letters and digits for `identity`: the same ones each time, and `identity` itself if it has that form."""
    if len(identity) == _ID_LENGTH and identity.isascii() and identity.isalnum():
        return identity
    number = int.from_bytes(hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest())
    characters: list[str] = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ID_CHARACTERS))
        characters.append(_ID_CHARACTERS[digit])
    return "".join(characters)
