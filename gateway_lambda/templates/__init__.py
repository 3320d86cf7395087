"""Chat templates: from the messages of a request to the text for the model (docs/translation.md#chat-templates).

`ChatTemplate` is made from the model of a registry record, and renders. `compile_template` alone tells a planner
whether the gateway can use a template. Rendering follows transformers. The limits and errors belong to this package.
"""

from gateway_lambda.templates.chat import ChatTemplate
from gateway_lambda.templates.compiled import CompiledTemplate, compile_template
from gateway_lambda.templates.errors import (
    MessagesRefused,
    TemplateError,
    TemplateInvalid,
    TemplateLimit,
    TemplateRaised,
)

__all__ = [
    "ChatTemplate",
    "CompiledTemplate",
    "MessagesRefused",
    "TemplateError",
    "TemplateInvalid",
    "TemplateLimit",
    "TemplateRaised",
    "compile_template",
]
