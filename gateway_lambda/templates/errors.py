"""The errors of a chat template and of its input.

```
TemplateError
├── TemplateInvalid   the template cannot be compiled           registration fails, or 500 chat_template_invalid
├── TemplateLimit     rendering would cost too much             500 chat_template_limit
├── TemplateRaised    the template refused these messages       400 chat_template_error, param messages
└── MessagesRefused   the messages break the API's rules        400 with `param` and `code`
```

Codes and statuses: docs/translation.md#errors. All are plain data; nothing here knows HTTP.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

ProblemCode: TypeAlias = Literal["invalid_type", "invalid_value", "unsupported_value"]


_MAX_MESSAGE: Final = 2000
"""Characters of a message: a template may raise with all the text it was given."""


class TemplateError(Exception):
    """A template or its input failed. `message` is for the caller, and always valid Unicode."""

    def __init__(self, message: str) -> None:
        self.message = _valid_text(message)
        super().__init__(self.message)


class TemplateInvalid(TemplateError):
    """The template cannot be used at all. `line`: its line in the template, from 1, if it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"{message} (line {line} of the chat template)")
        self.line = line


class TemplateLimit(TemplateError):
    """Rendering was stopped, because its size or its cost exceeded a limit."""


class TemplateRaised(TemplateError):
    """The template called `raise_exception`, or failed on these messages."""


class MessagesRefused(TemplateError):
    """The messages are not allowed. `param` is the path of the wrong field."""

    def __init__(self, message: str, *, param: str, code: ProblemCode) -> None:
        super().__init__(message)
        self.param = _valid_text(param)
        self.code: ProblemCode = code


def _valid_text(text: str) -> str:
    """`text`, cut, with halves of surrogate pairs replaced: JSON can hold them and no encoder takes them."""
    return text[:_MAX_MESSAGE].encode("utf-8", "replace").decode()


def refused_at(index: int, place: str | None, rule: str, code: ProblemCode) -> MessagesRefused:
    """Return the error about a message, or about a place in it."""
    param = f"messages[{index}]" if place is None else f"messages[{index}].{place}"
    return MessagesRefused(f"{param} {rule}", param=param, code=code)
