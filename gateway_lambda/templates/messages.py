"""From the `messages` of a request to the input of a template (docs/translation.md#messages).

The input is decoded JSON of any shape. The result is a list of plain dicts, or `MessagesRefused` with the path of the
wrong field. A message that needs no change is passed on as it is, so nothing here may change its input.
"""

from __future__ import annotations

import hashlib
import json
import string
from typing import Final

from gateway_lambda.bounded_json import JsonRefused, TooMuchJson, ValueBudget
from gateway_lambda.templates.errors import MessagesRefused, ProblemCode
from gateway_lambda.templates.functions import as_tool_message, is_deprecated
from gateway_lambda.templates.images import ImageGuard
from gateway_lambda.templates.json_value import Json, JsonObject
from gateway_lambda.templates.shape import Shape

MAX_MESSAGES: Final = 2048
MAX_TEXT_BYTES: Final = 4 * 1024 * 1024

_ROLES: Final = frozenset(["system", "user", "assistant", "tool", "developer"])
_REASONING: Final = ("reasoning_content", "thinking", "reasoning")
"""Names under which clients send a turn's reasoning. Templates read the first; gpt-oss's reads the second."""
_ID_CHARACTERS: Final = string.ascii_letters + string.digits
_ID_LENGTH: Final = 9


def shape_messages(messages: Json, shape: Shape, images: ImageGuard) -> list[JsonObject]:
    """Return the messages as input of a template. `images` keeps the URLs of image parts for later."""
    if type(messages) is not list:
        raise MessagesRefused("messages must be a list", param="messages", code="invalid_type")
    if not messages:
        raise MessagesRefused("messages must have at least one message", param="messages", code="invalid_value")
    if len(messages) > MAX_MESSAGES:
        raise MessagesRefused(
            f"messages has {len(messages)} messages; at most {MAX_MESSAGES} are allowed",
            param="messages",
            code="invalid_value",
        )
    shaped: list[JsonObject] = []
    size = 0
    names: dict[str, str] = {}
    budget = ValueBudget()
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise _refused(index, None, "must be an object", "invalid_type")
        content = message.get("content")
        if type(content) is str:
            size += len(content) if content.isascii() else _encoded_size(content, index)
            if len(message) == 2 and message.get("role") in shape.plain:
                shaped.append(message)
                continue
        elif type(content) is list:
            size += _size_of_parts(content, index)
        shaped.append(_shape_message(message, index, shape, images, names, budget))
    if size > MAX_TEXT_BYTES:
        raise MessagesRefused(
            f"messages has {size} bytes of text; at most {MAX_TEXT_BYTES} are allowed",
            param="messages",
            code="invalid_value",
        )
    return shaped


def _shape_message(
    message: JsonObject, index: int, shape: Shape, images: ImageGuard, names: dict[str, str], budget: ValueBudget
) -> JsonObject:
    if is_deprecated(message):
        message = as_tool_message(message, index, names)
    shaped: JsonObject = {key: value for key, value in message.items() if value is not None}
    role = shaped.get("role")
    if type(role) is not str:
        raise _refused(index, "role", "must be a string" if "role" in shaped else "is required", "invalid_type")
    if role not in _ROLES:
        rule = f"{role[:64]!r} is not a role; use one of {', '.join(sorted(_ROLES))}"
        raise _refused(index, "role", rule, "invalid_value")
    if role == "developer" and not shape.keeps_developer:
        shaped["role"] = role = "system"
    if "name" in shaped and type(shaped["name"]) is not str:
        raise _refused(index, "name", "must be a string", "invalid_type")
    given = shaped.pop("tool_calls", None)
    calls = _shape_tool_calls(given, index, shape, names, budget) if role == "assistant" else None
    if calls:
        shaped["tool_calls"] = calls
    content = _shape_content(message, index, role, shape, images)
    if calls and not content and shape.empty == "absent":
        shaped.pop("content", None)
    elif calls and not content and shape.empty == "null":
        shaped["content"] = None
    elif type(content) is str and role in shape.wraps:
        shaped["content"] = [{"type": "text", "text": content}]
    else:
        shaped["content"] = content
    if role == "tool":
        _shape_tool_result(shaped, index, shape, names)
    elif role == "assistant":
        reasoning = next((shaped[name] for name in _REASONING if name in shaped), None)
        if reasoning is not None:
            shaped = {"thinking": reasoning, **shaped, "reasoning_content": reasoning}
    return shaped


def _shape_content(message: JsonObject, index: int, role: str, shape: Shape, images: ImageGuard) -> Json:
    """The content as a text, or as a list of parts that is not empty."""
    content = message.get("content")
    if not content and role == "assistant" and type(message.get("refusal")) is str:
        content = message["refusal"]
    if type(content) is str:
        return content
    if content is None:
        if "content" in message or role == "assistant":
            return ""
        raise _refused(index, "content", "is required", "invalid_type")
    if type(content) is not list:
        raise _refused(index, "content", "must be a string or a list of parts", "invalid_type")
    parts = [_shape_part(part, index, position, images) for position, part in enumerate(content)]
    if role in shape.parts and parts:
        return [{"type": "text", "text": text} for text, _ in parts]
    flat: list[str] = []
    after_text = False
    for text, is_text in parts:
        if after_text and is_text:
            flat.append("\n")
        flat.append(text)
        after_text = is_text
    return "".join(flat)


def _shape_part(part: Json, index: int, position: int, images: ImageGuard) -> tuple[str, bool]:
    """The part's text, and whether it is a text part."""
    if type(part) is not dict:
        raise _refused(index, "content", f"part {position} must be an object", "invalid_type")
    kind = part.get("type")
    if type(kind) is not str:
        raise _refused(index, "content", f"part {position}: type must be a string", "invalid_type")
    if kind == "text" or kind == "refusal":
        text = part.get(kind)
        if type(text) is not str:
            raise _refused(index, "content", f"part {position}: {kind} must be a string", "invalid_type")
        return text, True
    if kind == "image_url":
        return images.admit(part.get("image_url"), param=f"messages[{index}].content", part=position), False
    raise _refused(
        index, "content", f"part {position}: parts of type {kind[:64]!r} are not supported", "unsupported_value"
    )


def _shape_tool_calls(
    calls: Json, index: int, shape: Shape, names: dict[str, str], budget: ValueBudget
) -> list[Json] | None:
    """The calls with their arguments and ids as the template takes them; `names` gets their names by id."""
    if calls is None:
        return None
    if type(calls) is not list:
        raise _refused(index, "tool_calls", "must be a list", "invalid_type")
    shaped: list[Json] = []
    for position, call in enumerate(calls):
        place = f"tool_calls[{position}]"
        if type(call) is not dict:
            raise _refused(index, place, "must be an object", "invalid_type")
        if call.get("type") not in (None, "function"):
            raise _refused(index, f"{place}.type", "only function calls are supported", "unsupported_value")
        function = call.get("function")
        if type(function) is not dict:
            raise _refused(index, f"{place}.function", "must be an object", "invalid_type")
        name = function.get("name")
        if type(name) is not str:
            raise _refused(index, f"{place}.function.name", "must be a string", "invalid_type")
        identity = call.get("id")
        if type(identity) is str:
            names[identity] = name
        elif identity is not None:
            raise _refused(index, f"{place}.id", "must be a string", "invalid_type")
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
    """The arguments as a text or as an object. A text that is not a JSON object stays as it is."""
    if arguments is None or (type(arguments) is str and not arguments.strip()):
        return "{}" if shape.text_arguments else {}
    if shape.text_arguments:
        try:
            return arguments if type(arguments) is str else json.dumps(arguments, ensure_ascii=False)
        except RecursionError:
            raise _refused(index, place, "is nested too deeply", "invalid_value") from None
    if type(arguments) is not str:
        return arguments
    try:
        value: Json = budget.decode(arguments.encode())
    except TooMuchJson as problem:
        raise _refused(index, place, f"and the arguments before it have {problem}", "invalid_value") from None
    except JsonRefused:
        return arguments
    return value if type(value) is dict else arguments


def _shape_tool_result(message: JsonObject, index: int, shape: Shape, names: dict[str, str]) -> None:
    identity = message.get("tool_call_id")
    if identity is None:
        return
    if type(identity) is not str:
        raise _refused(index, "tool_call_id", "must be a string", "invalid_type")
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


def _size_of_parts(parts: list[Json], index: int) -> int:
    texts = [part.get("text") for part in parts if type(part) is dict]
    return sum(_encoded_size(text, index) for text in texts if type(text) is str)


def _encoded_size(text: str, index: int) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise _refused(index, "content", "has half of a surrogate pair, which is not text", "invalid_value") from None


def _refused(index: int, place: str | None, rule: str, code: ProblemCode) -> MessagesRefused:
    param = f"messages[{index}]" if place is None else f"messages[{index}].{place}"
    return MessagesRefused(f"{param} {rule}", param=param, code=code)
