"""The page as one document: `page.html`, with the style and the scripts of this folder in it.

A function answers one request at a time, so a page of six files would start six functions. In one document, relative
addresses cannot go wrong either: the page is the same below a stage, at `/v1`, and at a name of its own.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gateway_lambda.errors import Header

_FOLDER = Path(__file__).parent
_STYLE = "page.css"
_SCRIPTS = ("elements.js", "gateway.js", "words.js", "models.js", "key.js", "code.js", "chat.js", "start.js")
"""They are one module, in this order."""


class Document(NamedTuple):
    """The page, as a response has it."""

    body: bytes
    tag: bytes
    """The value of its ETag."""
    headers: tuple[Header, ...]


@cache
def document() -> Document:
    """Return the page. It is read once for each process."""
    style = _read(_STYLE)
    script = "\n".join(map(_read, _SCRIPTS))
    body = _read("page.html").replace("<style></style>", f"<style>{style}</style>")
    body = body.replace('<script type="module"></script>', f'<script type="module">{script}</script>')
    data = body.encode()
    tag = f'"{sha256(data).hexdigest()[:32]}"'.encode()
    return Document(data, tag, _headers(_policy(style, script), tag))


def prefers_page(accept: bytes) -> bool:
    """Whether an Accept header asks for HTML, and not for JSON first. Browsers ask for HTML by name; `*/*` does not."""
    wanted = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.decode("latin-1").lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        if kind in wanted:
            wanted[kind] = max(wanted[kind], _quality(parameters))
    return wanted["text/html"] > 0 and wanted["text/html"] >= wanted["application/json"]


def _policy(style: str, script: str) -> str:
    """The page runs its own script alone, and sends requests to the gateway alone. It makes no HTML from text."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashed(script)}",
            f"style-src {_hashed(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _headers(policy: str, tag: bytes) -> tuple[Header, ...]:
    """A browser asks each time whether the page has changed, and is told 304 if it has not."""
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"etag", tag),
        (b"vary", b"accept"),
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
