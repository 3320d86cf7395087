"""The errors that clients get: the base class, and TGI's errors with their texts, kinds and statuses
(router/src/infer/mod.rs, server.rs).

Refusal             a status and a body in JSON, in the form of the server that is stood in for
InferError          TGI's form
├── NoRoute           404 not_found: no such path
├── ValidationError   422 validation: the request asks for what is not allowed, or not possible here
├── TemplateError     422 template_error: the chat template does not take the messages
├── Overloaded        429 overloaded: as many requests as are allowed are being worked on
├── GenerationError   424 generation: the model failed
└── Incomplete        500 incomplete_generation(_stream): the server ends before the answer
"""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):
    """An error that a client gets."""

    status: int = 500

    def body(self) -> Any:
        """Return the body of the response."""
        raise NotImplementedError


class InferError(Refusal):
    """An error that a client gets as `{"error": str(), "error_type": …}`."""

    error_type: ClassVar[str] = ""
    metric: ClassVar[str] = ""
    """Its name in `tgi_request_failure`."""

    def body(self) -> dict[str, Any]:
        """Return the body of the response, or the event of a stream."""
        return {"error": str(self), "error_type": self.error_type}


class NoRoute(InferError):
    """TGI does not have this path."""

    status = 404
    error_type = "not_found"


class ValidationError(InferError):
    """`rule` in TGI's words."""

    status = 422
    error_type = "validation"
    metric = "validation"

    def __init__(self, rule: str) -> None:
        super().__init__(f"Input validation error: {rule}")


class TemplateError(InferError):
    """`cause` is llama.cpp's own message."""

    status = 422
    error_type = "template_error"
    metric = "template"

    def __init__(self, cause: str) -> None:
        super().__init__(f"Template error: {cause}")


class Overloaded(InferError):
    """Ask again later."""

    status = 429
    error_type = "overloaded"
    metric = "overloaded"

    def __init__(self) -> None:
        super().__init__("Model is overloaded")


class GenerationError(InferError):
    """`cause` is llama.cpp's own message."""

    status = 424
    error_type = "generation"
    metric = "generation"

    def __init__(self, cause: str) -> None:
        super().__init__(f"Request failed during generation: {cause}")


class Incomplete(InferError):
    """The server is ending."""

    error_type = "incomplete_generation"
    metric = "incomplete"

    def __init__(self) -> None:
        super().__init__("Incomplete generation")


class IncompleteStream(InferError):
    """The server is ending."""

    error_type = "incomplete_generation_stream"
    metric = "incomplete"

    def __init__(self) -> None:
        super().__init__("Incomplete generation stream")
