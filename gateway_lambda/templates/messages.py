"""From the `messages` of a request to the input of a template (docs/translation.md#messages).

The input is decoded JSON of any shape. The result is a list of plain dicts, or `MessagesRefused` with the path of the
wrong field. A message that needs no change is passed on as it is, so nothing here may change its input.
"""

from __future__ import annotations

from typing import Final

from gateway_lambda.bounded_json import ValueBudget
from gateway_lambda.templates.calls import shape_calls, shape_result
from gateway_lambda.templates.errors import MessagesRefused, refused_at
from gateway_lambda.templates.functions import as_tool_message, is_deprecated
from gateway_lambda.templates.images import ImageGuard
from gateway_lambda.templates.instructions import in_turns_of_users
from gateway_lambda.templates.json_value import Json, JsonObject
from gateway_lambda.templates.shape import Shape

MAX_MESSAGES: Final = 2048
MAX_TEXT_BYTES: Final = 4 * 1024 * 1024

_ROLES: Final = frozenset(["system", "user", "assistant", "tool", "developer"])
_REASONING: Final = ("reasoning_content", "thinking", "reasoning")
"""Names under which clients send a turn's reasoning. Templates read the first; gpt-oss's reads the second."""


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
            raise refused_at(index, None, "must be an object", "invalid_type")
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
    return shaped if shape.later_system else in_turns_of_users(shaped, shape)


def _shape_message(
    message: JsonObject, index: int, shape: Shape, images: ImageGuard, names: dict[str, str], budget: ValueBudget
) -> JsonObject:
    if is_deprecated(message):
        message = as_tool_message(message, index, names)
    shaped: JsonObject = {key: value for key, value in message.items() if value is not None}
    role = shaped.get("role")
    if type(role) is not str:
        raise refused_at(index, "role", "must be a string" if "role" in shaped else "is required", "invalid_type")
    if role not in _ROLES:
        rule = f"{role[:64]!r} is not a role; use one of {', '.join(sorted(_ROLES))}"
        raise refused_at(index, "role", rule, "invalid_value")
    if role == "developer" and not shape.keeps_developer:
        shaped["role"] = role = "system"
    if "name" in shaped and type(shaped["name"]) is not str:
        raise refused_at(index, "name", "must be a string", "invalid_type")
    given = shaped.pop("tool_calls", None)
    calls = shape_calls(given, index, shape, names, budget) if role == "assistant" else None
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
        shape_result(shaped, index, shape, names)
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
        raise refused_at(index, "content", "is required", "invalid_type")
    if type(content) is not list:
        raise refused_at(index, "content", "must be a string or a list of parts", "invalid_type")
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
        raise refused_at(index, "content", f"part {position} must be an object", "invalid_type")
    kind = part.get("type")
    if type(kind) is not str:
        raise refused_at(index, "content", f"part {position}: type must be a string", "invalid_type")
    if kind == "text" or kind == "refusal":
        text = part.get(kind)
        if type(text) is not str:
            raise refused_at(index, "content", f"part {position}: {kind} must be a string", "invalid_type")
        return text, True
    if kind == "image_url":
        return images.admit(part.get("image_url"), param=f"messages[{index}].content", part=position), False
    raise refused_at(
        index, "content", f"part {position}: parts of type {kind[:64]!r} are not supported", "unsupported_value"
    )


def _size_of_parts(parts: list[Json], index: int) -> int:
    texts = [part.get("text") for part in parts if type(part) is dict]
    return sum(_encoded_size(text, index) for text in texts if type(text) is str)


def _encoded_size(text: str, index: int) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise refused_at(index, "content", "has half of a surrogate pair, which is not text", "invalid_value") from None
