"""From a chat request to the prompt; errors of a template become errors of the API.

A model whose template does not print the tools is told of them in the last message of the user, as TGI does.
"""

from __future__ import annotations

from typing import Any, cast

from gateway_lambda.errors import NO_RETRY, GatewayError, RequestError, ServiceError
from gateway_lambda.generation.ready_model import ReadyModel
from gateway_lambda.generation.reasoning import reasoning_start
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.templates import MessagesRefused, TemplateError, TemplateInvalid, TemplateRaised


def render_prompt(model: ReadyModel, request: ChatRequest) -> str:
    """Return the text for the model, before the BOS rule; set how its answers begin. Raises `GatewayError`.

    A grammar rules the whole answer, so that there is no reasoning in it.
    """
    try:
        prompt = _with_tools(model, request)
        marks = model.reasoning
    except TemplateError as error:
        raise _as_http(error) from None
    if marks is not None and request.grammar is None:
        request.reasoning = reasoning_start(marks, prompt, _continued(prompt, request.messages))
    return prompt


def _with_tools(model: ReadyModel, request: ChatRequest) -> str:
    use = request.tools
    prompt = _render(model, request, request.messages)
    if use is None or use.syntax is None or (model.template.reads_tools and _prints(prompt, use.tools)):
        return prompt
    return _render(model, request, _with_rule(request.messages, use.rule()))


def _render(model: ReadyModel, request: ChatRequest, messages: Any) -> str:
    tools: Any = None if request.tools is None else request.tools.tools
    return model.template.render(
        messages,
        tools=tools,
        add_generation_prompt=request.add_generation_prompt,
        continue_final_message=request.continue_final_message,
        reasoning_effort=request.reasoning_effort,
        chat_template_kwargs=request.chat_template_kwargs,
    )


def _continued(prompt: str, messages: list[Any]) -> str:
    """The text of an answer that the model continues: the last message, if the prompt ends with it."""
    last = cast("dict[str, Any]", messages[-1])
    content: object = last.get("content")
    if isinstance(content, list) and content:
        content = cast("list[Any]", content)[-1].get("text")
    if last["role"] != "assistant" or not isinstance(content, str):
        return ""
    return content if prompt.endswith((content, content.rstrip())) else ""


def _prints(prompt: str, tools: list[dict[str, Any]] | None) -> bool:
    """Whether a prompt has the name of the first tool in it."""
    return not tools or tools[0]["function"]["name"] in prompt


def _with_rule(messages: list[Any], rule: str) -> list[Any]:
    """The messages with the rule in them. The given messages stay as they are."""
    users = [index for index, message in enumerate(messages) if message.get("role") == "user"]
    last = users[-1] if users else len(messages) - 1
    message = cast("dict[str, Any]", messages[last])
    content: object = message.get("content")
    if isinstance(content, list):
        content = [*cast("list[object]", content), {"type": "text", "text": rule}]
    else:
        content = f"{content or ''}\n---\n{rule}"
    return [*messages[:last], {**message, "content": content}, *messages[last + 1 :]]


def _as_http(error: TemplateError) -> GatewayError:
    if isinstance(error, MessagesRefused):
        return RequestError(error.message, error.code, param=error.param)
    if isinstance(error, TemplateRaised):
        return RequestError(error.message, "chat_template_error", param="messages")
    code = "chat_template_invalid" if isinstance(error, TemplateInvalid) else "chat_template_limit"
    return ServiceError(500, error.message, code, headers=(NO_RETRY,))
