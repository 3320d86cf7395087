"""What the gateway is told from outside: addresses, limits, timeouts. Every one is an environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.cross_origin import ANY, AllowedOrigins
from gateway_lambda.registry.address import BadAddress, address


class SettingsError(ValueError):
    """An environment variable holds what the gateway cannot use."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds, sizes in bytes. The variable of a field stands in `VARIABLES`."""

    registry: str = ""
    """`file:PATH` or `dynamodb:TABLE`."""
    domain: str = ""
    """Runs answer at `<run>.<domain>`, the OpenAI interface at `gateway.<domain>`. Empty: by path alone."""
    upstream: str = ""
    """Base URL for runs whose record has no `url`: the load balancer."""
    host: str = "127.0.0.1"
    port: int = 8000
    owned_by: str = "servestack"
    """What `/models` shows as owner."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Larger requests to the OpenAI interface get a 413; those to a run's own service have no limit here."""
    max_open_bytes: int = 128 * 1024 * 1024
    """Bodies of requests to the OpenAI interface by callers without a key, all together, until they are answered."""
    max_connections: int = 2000
    """Clients' connections. Above it, those that are idle for the longest are closed, else new ones get a 503."""
    head_timeout: float = 10.0
    """From a request's first byte to the end of its headers; from a connection to its first request."""
    body_timeout: float = 60.0
    """A client that owes the rest of a body is silent for at most so long."""
    commit_after: float = 10.0
    """A stream whose upstream is silent for so long gets its status and first chunk all the same."""
    keep_alive: float = 15.0
    """A stream that was silent for so long gets a comment line."""
    connect_timeout: float = 5.0
    plain_timeout: float = 600.0
    """A whole answer that is not streamed."""
    idle_timeout: float = 60.0
    """A stream whose upstream sends no byte at all. TGI's own comments, every 15 s, count as bytes."""
    grace: float = 25.0
    """After SIGTERM, running requests get so long to end by themselves. 0: they are ended at once."""
    behind: str = ""
    """`adapter`: requests come through a web adapter, which makes metadata and a payload of every response."""
    allowed_origins: str = ANY
    """Origins whose web pages can call the gateway, with commas: `*` for all, `none`."""
    log: str = "warning"
    """The least that is logged: debug, info, warning or error."""


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
}

_LOGGED = ("debug", "info", "warning", "error")
_POSITIVE = (
    *("max_body_bytes", "max_open_bytes", "max_connections", "head_timeout", "body_timeout"),
    *("commit_after", "keep_alive", "connect_timeout", "plain_timeout", "idle_timeout"),
)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` holds; an absent or empty variable means the default.

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
        raise SettingsError(f"{variable}={text!r}: give {wanted} {'above' if positive else 'not below'} 0")
    return value


def _check(settings: Settings) -> None:
    if settings.log not in _LOGGED:
        raise SettingsError(f"GATEWAY_LOG={settings.log!r}: give one of {', '.join(_LOGGED)}")
    if settings.behind not in ("", "adapter"):
        raise SettingsError(f"GATEWAY_BEHIND={settings.behind!r}: give adapter, or nothing")
    if not settings.registry.partition(":")[2]:
        raise SettingsError(f"GATEWAY_REGISTRY={settings.registry!r}: give file:PATH or dynamodb:TABLE")
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
        raise SettingsError(f"PORT={settings.port}: ports end at 65535")
