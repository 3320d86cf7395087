"""The HTML page at the root, for a person with a browser: which models are here, at which addresses, and how to ask.

It is static and loads nothing. Everything that a caller or the registry put into it is escaped.
"""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape

from gateway_lambda.errors import Header
from gateway_lambda.registry.record import Service

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #8886}"
    "td code,p,pre{overflow-wrap:anywhere}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}"
    "pre{background:#8882;padding:1rem;white-space:pre-wrap;border-radius:.3rem}"
)
_QUESTION = "What is your favourite condiment?"
_LENGTH = 60
"""Tokens that the example asks for."""


def prefers_page(accept: bytes) -> bool:
    """Whether an Accept header asks for HTML, and not for JSON first. Browsers ask for HTML by name; `*/*` does not."""
    wanted = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.decode("latin-1").lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        if kind in wanted:
            wanted[kind] = max(wanted[kind], _quality(parameters))
    return wanted["text/html"] > 0 and wanted["text/html"] >= wanted["application/json"]


@cache
def page_headers() -> tuple[Header, ...]:
    """The headers of the page: nothing keeps it, and a browser runs, loads, sends and frames nothing."""
    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )


def page(base: str, services: Sequence[tuple[Service, str | None]], *, others_need_a_key: bool) -> bytes:
    """Return the page.

    Args:
        base: the address of the gateway as the caller knows it, without a slash at its end.
        services: what the caller can use: each service, and the name by which the OpenAI API asks it.
        others_need_a_key: there are services that a caller without a key cannot use.
    """
    api = f"{base}/v1"
    parts = [
        "<h1>servestack gateway</h1>",
        f"<p>Base URL of the OpenAI API: <code>{escape(api)}</code></p>",
        "<h2>Models and runs</h2>",
        _table(base, services) if services else "<p>No run here is open to callers without an API key.</p>",
    ]
    if others_need_a_key:
        listing = _command(f"curl {shlex.quote(f'{api}/models')}", _AUTHORIZATION)
        others = "Other runs need an API key. " if services else ""
        parts.append(f"<p>{others}This command lists the models for your API key:</p>{listing}")
    asked = next(((service, name) for service, name in services if name is not None), None)
    if asked is not None:
        parts += ["<h2>Ask a model</h2>", _question(api, *asked)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>servestack gateway</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    ).encode(errors="replace")


_AUTHORIZATION = '-H "Authorization: Bearer $API_KEY"'


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _table(base: str, services: Sequence[tuple[Service, str | None]]) -> str:
    rows = ["<tr><th>Model</th><th>Run</th><th>The run's own address</th></tr>"]
    for service, name in services:
        model = "no model" if name is None else f"<code>{escape(name)}</code>"
        address = escape(f"{base}/services/{service.run}/")
        rows.append(f"<tr><td>{model}</td><td>{escape(service.run)}</td><td><code>{address}</code></td></tr>")
    return "\n".join(["<table>", *rows, "</table>"])


def _question(api: str, service: Service, name: str) -> str:
    body = {"model": name, "messages": [{"role": "user", "content": _QUESTION}], "max_tokens": _LENGTH}
    return _command(
        f"curl {shlex.quote(f'{api}/chat/completions')}",
        "-H 'Content-Type: application/json'",
        *([_AUTHORIZATION] if service.auth else []),
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    )


def _command(*parts: str) -> str:
    """A command on several lines, as a shell continues them."""
    joined = " \\\n    ".join(parts)
    return f"<pre>{escape(joined)}</pre>"
