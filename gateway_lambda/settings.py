"""The settings of the gateway: addresses, limits, timeouts. Each is an environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.address import BadAddress, address
from gateway_lambda.allowed_origins import ANY, AllowedOrigins


class SettingsError(ValueError):
    """An environment variable has a value that the gateway cannot use."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds, sizes in bytes. The variable of a field stands in `VARIABLES`."""

    registry: str = ""
    """`file:PATH` or `dynamodb:TABLE`."""
    domain: str = ""
    """Runs answer at `<run>.<domain>`, the OpenAI API at `gateway.<domain>`. Empty: only the path decides."""
    upstream: str = ""
    """Base URL for runs whose record has no `url`: the load balancer."""
    host: str = "127.0.0.1"
    port: int = 8000
    owned_by: str = "servestack"
    """What `/models` shows as owner."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Larger requests to the OpenAI API get a 413. Requests to a run's own service have no limit."""
    max_open_bytes: int = 128 * 1024 * 1024
    """Bodies of requests to the OpenAI API from callers without a key, all together, until their answers."""
    max_connections: int = 2000
    """Connections of clients. Above it, the gateway closes those that are idle the longest, or sends 503."""
    head_timeout: float = 10.0
    """From a request's first byte to the end of its headers; from a connection to its first request."""
    body_timeout: float = 60.0
    """How long a client may be silent before a body is complete, and while an answer waits for it to read."""
    commit_after: float = 10.0
    """After this silence of the upstream, a stream begins with its status and first chunk."""
    keep_alive: float = 15.0
    """After this silence, a stream gets a comment line."""
    connect_timeout: float = 5.0
    plain_timeout: float = 600.0
    """A whole answer that is not streamed."""
    idle_timeout: float = 60.0
    """How long the upstream of a stream may send no byte. TGI's own comments, every 15 s, count as bytes."""
    grace: float = 25.0
    """How long running requests may go on after SIGTERM. 0: they end at once."""
    behind: str = ""
    """`adapter`: requests come through a web adapter, which turns every response into metadata and a payload."""
    allowed_origins: str = ANY
    """Origins whose web pages can call the gateway, with commas; `*` for all, or `none`."""
    log: str = "warning"
    """The lowest level that is logged: debug, info, warning or error."""
    log_requests: int = 0
    """1: a line on stderr for each request. 0: none."""
    request_lines: str = ""
    """A file for the line of JSON of each request. Empty: stdout with a table of DynamoDB, otherwise nowhere."""

    @property
    def table(self) -> str:
        """The name of the registry's table; empty with a file."""
        kind, _, name = self.registry.partition(":")
        return name if kind == "dynamodb" else ""


VARIABLES: dict[str, str] = {
    "registry": "GATEWAY_REGISTRY",
    "domain": "GATEWAY_DOMAIN",
    "upstream": "GATEWAY_UPSTREAM",
    "host": "HOST",
    "port": "PORT",
    "owned_by": "GATEWAY_OWNED_BY",
    "max_body_bytes": "GATEWAY_MAX_BODY_BYTES",
    "max_open_bytes": "GATEWAY_MAX_OPEN_BYTES",
    "max_connections": "GATEWAY_MAX_CONNECTIONS",
    "head_timeout": "GATEWAY_HEAD_TIMEOUT",
    "body_timeout": "GATEWAY_BODY_TIMEOUT",
    "commit_after": "GATEWAY_COMMIT_AFTER",
    "keep_alive": "GATEWAY_KEEP_ALIVE",
    "connect_timeout": "GATEWAY_CONNECT_TIMEOUT",
    "plain_timeout": "GATEWAY_PLAIN_TIMEOUT",
    "idle_timeout": "GATEWAY_IDLE_TIMEOUT",
    "grace": "GATEWAY_GRACE",
    "behind": "GATEWAY_BEHIND",
    "allowed_origins": "GATEWAY_ALLOWED_ORIGINS",
    "log": "GATEWAY_LOG",
    "log_requests": "GATEWAY_LOG_REQUESTS",
    "request_lines": "GATEWAY_REQUEST_LINES",
}

_LOGGED = ("debug", "info", "warning", "error")
_POSITIVE = (
    *("max_body_bytes", "max_open_bytes", "max_connections", "head_timeout", "body_timeout"),
    *("commit_after", "keep_alive", "connect_timeout", "plain_timeout", "idle_timeout"),
)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`; an absent or empty variable means the default.

    Raises `SettingsError`, which names the variable, its value and the rule.
    """
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        variable = VARIABLES[field.name]
        text = environment.get(variable, "").strip()
        if text:
            given[field.name] = _read(variable, text, field.default, field.name in _POSITIVE)
    settings = Settings(**given)
    _check(settings)
    return msgspec.structs.replace(
        settings, domain=settings.domain.strip(".").lower(), upstream=settings.upstream.rstrip("/")
    )


def _read(variable: str, text: str, default: object, positive: bool) -> str | int | float:
    if isinstance(default, str):
        return text
    kind = type(default)
    try:
        value = int(text) if kind is int else float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf") or (positive and value == 0):
        wanted = "a whole number" if kind is int else "a number of seconds"
        raise SettingsError(f"{variable}={text!r}: use {wanted} {'above 0' if positive else 'from 0'}")
    return value


def _check(settings: Settings) -> None:
    if settings.log not in _LOGGED:
        raise SettingsError(f"GATEWAY_LOG={settings.log!r}: use one of {', '.join(_LOGGED)}")
    if settings.behind not in ("", "adapter"):
        raise SettingsError(f"GATEWAY_BEHIND={settings.behind!r}: use adapter, or leave it empty")
    if not settings.registry.partition(":")[2]:
        raise SettingsError(f"GATEWAY_REGISTRY={settings.registry!r}: use file:PATH or dynamodb:TABLE")
    if settings.upstream:
        try:
            address(settings.upstream)
        except BadAddress as problem:
            raise SettingsError(f"GATEWAY_UPSTREAM={settings.upstream!r}: {problem}") from None
    try:
        AllowedOrigins(settings.allowed_origins)
    except ValueError as problem:
        raise SettingsError(f"GATEWAY_ALLOWED_ORIGINS={settings.allowed_origins!r}: {problem}") from None
    if settings.port > 65535:
        raise SettingsError(f"PORT={settings.port}: use a port of at most 65535")
