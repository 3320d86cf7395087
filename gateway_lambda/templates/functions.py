"""Messages of OpenAI's deprecated function calls, as the messages of tool calls that took their place.

An assistant's `function_call` becomes its only tool call. A message of role `function` becomes the result of the last
call of that function.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway_lambda.templates.errors import MessagesRefused
from gateway_lambda.templates.json_value import Json, JsonObject


def is_deprecated(message: JsonObject) -> bool:
    """Return whether a message has the deprecated form."""
    return message.get("role") == "function" or message.get("function_call") is not None


def as_tool_message(message: JsonObject, index: int, names: Mapping[str, str]) -> JsonObject:
    """Return the message in the form of tool calls. `names`: the names of earlier calls, by id. Raises
    `MessagesRefused`."""
    others: JsonObject = {key: value for key, value in message.items() if key != "function_call"}
    if message.get("role") == "function":
        name = _name(message, f"messages[{index}].name")
        last = next((identity for identity in reversed(list(names)) if names[identity] == name), f"call_{name}")
        return {**others, "role": "tool", "tool_call_id": last}
    if message.get("role") != "assistant" or message.get("tool_calls"):
        return others
    place = f"messages[{index}].function_call"
    call = message["function_call"]
    if type(call) is not dict:
        raise MessagesRefused(f"{place} must be an object", param=place, code="invalid_type")
    _name(call, f"{place}.name")
    identity = f"call_{index}"
    while identity in names:
        identity += "_"
    return {**others, "tool_calls": [{"id": identity, "type": "function", "function": call}]}


def _name(holder: JsonObject, place: str) -> str:
    name: Json = holder.get("name")
    if type(name) is not str:
        raise MessagesRefused(f"{place} must be a string", param=place, code="invalid_type")
    return name
