"""What is tried: a service's addresses, its model, and a key where one is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from commands.pulumi_cli import Pulumi
from infra.configuration import Secret

PATIENCE = 30.0
"""Seconds for a question that a gateway answers by itself."""
NO_MODEL = "-"
"""What `--model` says of a service without one."""


class CannotTry(Exception):
    """There is nothing to try; `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A service as its users see it."""

    url: str | None
    """Base URL of the service itself; `None`: a gateway alone is tried."""
    openai_base_url: str
    model: str | None
    """`None`: the service has no model."""
    key: Secret | None
    """`None`: no key is needed."""
    curl: str | None
    """The command that the stack says to paste; `None`: there is no stack."""

    @property
    def headers(self) -> dict[str, str]:
        """Those of a caller who may use the service."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key.reveal()}"}


def target_of_stack(stack: str, pulumi: Pulumi, *, key: Secret | None) -> Target:
    """What a deployed stack says of itself. `key`: instead of the first of its gateway's keys. Raises `CannotTry`,
    and what `pulumi` raises."""
    outputs = _outputs(pulumi, stack)
    if "openai_base_url" not in outputs:
        raise CannotTry(
            f"{stack} has no output openai_base_url: no pulumi up has succeeded yet. Run pulumi up --stack {stack}"
        )
    if "api_keys" in outputs:
        return Target(
            url=None,
            openai_base_url=outputs["openai_base_url"],
            model=None,
            key=key or _first_key(stack, outputs["api_keys"]),
            curl=None,
        )
    curl = str(outputs["curl"])
    if key is None and (gateway := re.search(r"stack output api_keys .*?--stack (\S+)", curl)):
        key = _first_key(gateway[1], json.loads(pulumi(["stack", "output", "api_keys", *_JSON, "--stack", gateway[1]])))
    return Target(
        url=outputs["url"],
        openai_base_url=outputs["openai_base_url"],
        model=outputs.get("model"),
        key=key,
        curl=curl,
    )


def target_at(url: str, *, openai_base_url: str | None, model: str | None, key: Secret | None) -> Target:
    """A service by its address.

    Args:
        url: base URL of the service itself.
        openai_base_url: `None`: where a gateway of such an address has it.
        model: `None`: the only one that the gateway lists; `-`: the service has none.
        key: `None`: no key is needed.

    Raises:
        CannotTry: the gateway cannot be asked for its models, or lists several.
    """
    base = openai_base_url or _openai_base_url(url)
    found = Target(url=url.rstrip("/"), openai_base_url=base, model=None, key=key, curl=None)
    if model == NO_MODEL:
        return found
    return Target(url=found.url, openai_base_url=base, model=model or _only_model(found), key=key, curl=None)


_JSON = ("--json", "--show-secrets")


def _outputs(pulumi: Pulumi, stack: str) -> Mapping[str, str]:
    outputs: Mapping[str, str] = json.loads(pulumi(["stack", "output", *_JSON, "--stack", stack]))
    return outputs


def _first_key(gateway: str, keys: object) -> Secret:
    if isinstance(keys, dict):
        for value in keys.values():  # pyright: ignore[reportUnknownVariableType]
            return Secret(str(value))  # pyright: ignore[reportUnknownArgumentType]
    raise CannotTry(f"{gateway} has no API key: set keys in it and run pulumi up, or give one with --key")


def _openai_base_url(url: str) -> str:
    """`…/services/<run>` is beside `…/v1`; `<run>.<domain>` beside `gateway.<domain>/v1`."""
    parts = urlsplit(url)
    before, services, _ = parts.path.partition("/services/")
    if services:
        return urlunsplit((parts.scheme, parts.netloc, f"{before}/v1", "", ""))
    host = parts.netloc.partition(".")[2]
    return urlunsplit((parts.scheme, f"gateway.{host or parts.netloc}", "/v1", "", ""))


def _only_model(target: Target) -> str | None:
    try:
        answer = httpx.get(f"{target.openai_base_url}/models", headers=target.headers, timeout=PATIENCE)
        models = [str(model["id"]) for model in answer.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise CannotTry(
            f"{target.openai_base_url}/models does not say which models there are ({_said(error)}). Give "
            "--openai-base-url and --model, or --model - for a service without a model"
        ) from None
    if len(models) > 1:
        raise CannotTry(
            f"{target.openai_base_url} has several models: {', '.join(models)}. Name the service's with --model, or "
            "give --model - if it has none"
        )
    return models[0] if models else None


def _said(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return str(error) or type(error).__name__
