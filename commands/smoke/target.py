"""What to test: the addresses of a service, its model, and a key if the service needs one."""

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
"""Seconds for a question that the gateway itself answers."""
NO_MODEL = "-"
"""The value of `--model` for a service without a model."""


class CannotTry(Exception):
    """There is nothing to test. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A service, as its users see it."""

    url: str | None
    """Base URL of the service itself; `None`: only a gateway is tested."""
    openai_base_url: str
    model: str | None
    """`None`: the service has no model."""
    key: Secret | None
    """`None`: no key is needed."""
    curl: str | None
    """The `curl` command in the outputs of the stack; `None`: there is no stack."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a caller who can use the service."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key.reveal()}"}


def target_of_stack(stack: str, pulumi: Pulumi, *, key: Secret | None) -> Target:
    """Return the target of a deployed stack. `key` replaces the first key of its gateway. Raises `CannotTry`, and what
    `pulumi` raises."""
    outputs = _outputs(pulumi, stack)
    if "openai_base_url" not in outputs:
        raise CannotTry(
            f"{stack} has no output openai_base_url: no pulumi up of it has succeeded. Run pulumi up --stack {stack}"
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
    """Return the target at an address.

    Args:
        url: base URL of the service itself.
        openai_base_url: `None`: derived from `url`.
        model: `None`: the only model that the gateway lists; `-`: the service has no model.
        key: `None`: no key is needed.

    Raises:
        CannotTry: the gateway does not list its models, or lists several.
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
    raise CannotTry(
        f"{gateway} has no API key: set keys in its stack config and run pulumi up, or give a key with --key"
    )


def _openai_base_url(url: str) -> str:
    """`…/services/<run>` has `…/v1`, and `<run>.<domain>` has `gateway.<domain>/v1`."""
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
            f"{target.openai_base_url}/models does not list the models ({_said(error)}). Give "
            "--openai-base-url and --model, or --model - for a service without a model"
        ) from None
    if len(models) > 1:
        raise CannotTry(
            f"{target.openai_base_url} has several models: {', '.join(models)}. Name the model of the service with "
            "--model, or give --model - if it has none"
        )
    return models[0] if models else None


def _said(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return str(error) or type(error).__name__
