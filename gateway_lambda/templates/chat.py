"""The chat templates of a model with its tokens: from messages to a prompt."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from gateway_lambda.registry.record import Model
from gateway_lambda.templates.bos import strips_bos
from gateway_lambda.templates.bounds import MAX_OUTPUT_BYTES
from gateway_lambda.templates.compiled import CompiledTemplate, base_variables, compile_template
from gateway_lambda.templates.control_tokens import ControlTokens
from gateway_lambda.templates.errors import MessagesRefused, ProblemCode, TemplateInvalid, TemplateLimit, TemplateRaised
from gateway_lambda.templates.images import ImageGuard
from gateway_lambda.templates.json_value import Json, JsonObject
from gateway_lambda.templates.messages import shape_messages

_CALL_VARIABLES: Final = ("messages", "tools", "documents", "add_generation_prompt")
_TOKEN_NAMES: Final = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
)
_NO_IMAGES: Final = ImageGuard(vision=False)
_TAG: Final = str(secrets.randbits(128))
"""Marks the end of a message that the model continues. It is random, so that no caller can write it, and has only
digits, which `upper` and `title` do not change."""


class ChatTemplate:
    """The compiled templates of one model.

    Make one for each model and keep it, because making it compiles. `now` gives the time to `strftime_now`.
    """

    def __init__(self, model: Model, *, now: Callable[[], datetime] = datetime.now) -> None:
        """Raises `TemplateInvalid` if a template cannot be compiled, or is missing."""
        sources = {**model.chat_templates}
        if model.chat_template is not None:
            sources["default"] = model.chat_template
        self._default = compile_template(sources["default"]) if "default" in sources else None
        self._tool_use = compile_template(sources["tool_use"]) if "tool_use" in sources else self._default
        if self._tool_use is None:
            raise TemplateInvalid(f"model {model.name!r} has no chat template named default")
        self.eos_token = model.eos_token
        self.bos_token = model.bos_token
        tokens = _tokens(model)

        def strftime_now(form: str) -> str:
            return now().strftime(form)

        self._base = base_variables({**tokens, "strftime_now": strftime_now})
        self._reserved = frozenset([*_CALL_VARIABLES, *_TOKEN_NAMES, *self._base])
        self._vision = model.vision
        self._image_hosts = frozenset(host.lower() for host in model.image_hosts)
        self._continues = model.prefill == "continue"
        self._strip_bos: Literal["auto", "always", "never"] = model.strip_bos
        self._control_tokens = ControlTokens.of(
            model.control_tokens_in_input, tokens, [template.source for template in self._templates()]
        )

    def render(
        self,
        messages: Any,
        *,
        tools: Json = None,
        documents: Json = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | None = None,
        reasoning_effort: Any = None,
        chat_template_kwargs: Any = None,
    ) -> str:
        """Return the prompt for `messages`, which are decoded JSON of any shape and are not changed.

        `None` and an empty list of tools count as absent. If the caller chooses no ending, a trailing assistant message
        is continued if the model's record has `prefill: continue`: the prompt then ends with the text of that message.
        Raises `MessagesRefused`, `TemplateRaised`, `TemplateLimit`, and `TemplateInvalid` if the record does not have
        the template for this request.
        """
        template = self._tool_use if tools else self._default
        if template is None:
            raise TemplateInvalid(
                "the model has a chat template only for requests with tools, and no template named default"
            )
        if self._control_tokens is not None:
            messages, tools, documents, chat_template_kwargs = (
                self._control_tokens.clean(value, param)
                for value, param in (
                    (messages, "messages"),
                    (tools, "tools"),
                    (documents, "documents"),
                    (chat_template_kwargs, "chat_template_kwargs"),
                )
            )
        images = ImageGuard(vision=True, hosts=self._image_hosts) if self._vision else _NO_IMAGES
        shaped = shape_messages(messages, template.shape, images)
        continues = self._is_continued(shaped[-1], add_generation_prompt, continue_final_message)
        if continues:
            shaped = [*shaped[:-1], _tagged(shaped[-1], len(shaped) - 1)]
        variables = self._base.copy()
        if chat_template_kwargs is not None:
            variables.update(self._checked_kwargs(chat_template_kwargs))
        if type(reasoning_effort) is str:
            variables["reasoning_effort"] = reasoning_effort
        variables["messages"] = shaped
        variables["tools"] = tools or None
        variables["documents"] = documents or None
        variables["add_generation_prompt"] = not continues and add_generation_prompt is not False
        text = template.render(variables)
        if continues:
            text = _cut_at_tag(text)
        return _checked_text(images.place(text), self.bos_token)

    def without_extra_bos(self, text: str, starts_with_bos_added: bool | None) -> str:
        """Return `text` without one leading BOS, if the tokenizer adds its own. `None`: `/tokenize` did not answer."""
        if not strips_bos(self._strip_bos, self.bos_token, starts_with_bos_added):
            return text
        return text.removeprefix(self.bos_token or "")

    @property
    def reads_tools(self) -> bool:
        """Whether the template of requests with tools has the variable `tools`. TGI asks its text the same."""
        return self._tool_use is not None and "tools" in self._tool_use.source

    @property
    def source(self) -> str:
        """The text of all templates."""
        return "\n".join(template.source for template in self._templates())

    def _templates(self) -> list[CompiledTemplate]:
        return [template for template in (self._default, self._tool_use) if template is not None]

    def _is_continued(self, last: dict[str, Any], generation: bool | None, continuation: bool | None) -> bool:
        if continuation is False or (generation is True and not continuation):
            return False
        if continuation:
            if generation:
                raise MessagesRefused(
                    "add_generation_prompt and continue_final_message are both true; set only one of them",
                    param="continue_final_message",
                    code="invalid_value",
                )
            return True
        return self._continues and last["role"] == "assistant" and "tool_calls" not in last

    def _checked_kwargs(self, values: Json) -> JsonObject:
        if type(values) is not dict:
            raise _refused_kwargs("must be an object", "invalid_type")
        for name, value in values.items():
            if name in self._reserved:
                raise _refused_kwargs(f"cannot set {name[:64]!r}, which the gateway sets itself", "invalid_value")
            if isinstance(value, (dict, list)):
                raise _refused_kwargs(
                    f"must hold strings, numbers and booleans, but {name[:64]!r} is a list or an object", "invalid_type"
                )
        return {name: value for name, value in values.items() if value is not None}


def _tokens(model: Model) -> dict[str, str | list[str]]:
    """The model's special tokens by variable name; unknown ones are left out, so that they are undefined."""
    tokens = {**model.special_tokens, "bos_token": model.bos_token, "eos_token": model.eos_token}
    return {name: token for name, token in tokens.items() if token is not None}


def _tagged(message: dict[str, Any], index: int) -> dict[str, Any]:
    """The message with the tag, and a space that shows whether the template trims, after its last text."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": f"{content}{_TAG} "}
    if not content:
        raise MessagesRefused(
            "the last message has no text to continue", param=f"messages[{index}].content", code="invalid_value"
        )
    last = {**content[-1], "text": f"{content[-1]['text']}{_TAG} "}
    return {**message, "content": [*content[:-1], last]}


def _cut_at_tag(text: str) -> str:
    """The text up to the tag, trailing whitespace kept unless the template trimmed the tag's own."""
    end = text.rfind(_TAG)
    if end < 0:
        raise TemplateRaised("the chat template does not print the last message, so the model cannot continue it")
    kept = text[:end] if text.startswith(" ", end + len(_TAG)) else text[:end].rstrip()
    return kept.replace(_TAG, "")


def _checked_text(text: str, bos: str | None) -> str:
    if not text or text == bos:
        raise MessagesRefused(
            "the chat template makes an empty prompt from these messages", param="messages", code="invalid_value"
        )
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise MessagesRefused(
            "messages have half of a surrogate pair, which is not text", param="messages", code="invalid_value"
        ) from None
    if size > MAX_OUTPUT_BYTES:
        raise TemplateLimit(f"the rendered prompt has {size} bytes; at most {MAX_OUTPUT_BYTES} are allowed")
    return text


def _refused_kwargs(rule: str, code: ProblemCode) -> MessagesRefused:
    return MessagesRefused(f"chat_template_kwargs {rule}", param="chat_template_kwargs", code=code)
