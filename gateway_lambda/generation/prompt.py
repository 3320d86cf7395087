"""From a chat request to the prompt; errors of a template become errors of the API."""

from __future__ import annotations

from typing import Any

from gateway_lambda.errors import NO_RETRY, GatewayError, RequestError, ServiceError
from gateway_lambda.openai.chat_request import ChatRequest
from gateway_lambda.routing.runs import ReadyModel
from gateway_lambda.templates import MessagesRefused, TemplateError, TemplateInvalid, TemplateRaised
from gateway_lambda.tools.tool_prompt import prints_tools, with_tools


def render_prompt(model: ReadyModel, request: ChatRequest) -> str:
    """Return the text for the model, before the BOS rule. Raises `GatewayError`."""
    use = request.tools
    try:
        prompt = _render(model, request, request.messages)
        if use.form is not None and not (model.template.reads_tools and prints_tools(prompt, use)):
            prompt = _render(model, request, with_tools(request.messages, use))
    except TemplateError as error:
        raise _as_http(error) from None
    return prompt


def _render(model: ReadyModel, request: ChatRequest, messages: Any) -> str:
    tools: Any = request.tools.tools
    return model.template.render(
        messages,
        tools=tools,
        add_generation_prompt=request.add_generation_prompt,
        continue_final_message=request.continue_final_message,
        reasoning_effort=request.reasoning_effort,
        chat_template_kwargs=request.chat_template_kwargs,
    )


def _as_http(error: TemplateError) -> GatewayError:
    if isinstance(error, MessagesRefused):
        return RequestError(error.message, error.code, param=error.param)
    if isinstance(error, TemplateRaised):
        return RequestError(error.message, "chat_template_error", param="messages")
    code = "chat_template_invalid" if isinstance(error, TemplateInvalid) else "chat_template_limit"
    return ServiceError(500, error.message, code, headers=(NO_RETRY,))
