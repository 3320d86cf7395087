"""The outputs of a stack: where it answers, what it costs, and commands to paste.

Pulumi shows at most three lines of a text, 150 characters of each, and sorts outputs by name. So `what_next` is last.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from infra.components.connection import Connection
from infra.planning import GatewayPlan, ServicePlan
from infra.planning.text import number
from infra.stack import DEFAULT_GATEWAY

SHOWN = 150
"""Characters of a line that Pulumi shows."""
SEE = "make status"


def service_outputs(plan: ServicePlan, connection: Connection, *, gateway: str, stack: str) -> Mapping[str, Any]:
    """Return the outputs of a service, except its dashboard.

    Args:
        plan: what is deployed.
        connection: the gateway.
        gateway: full name of the gateway's stack.
        stack: name of the service's own stack.
    """
    closed = _needs_key(plan, connection)
    switch = "let everyone call it" if closed else "require an API key"
    outputs = {
        "url": connection.url(plan.run),
        "model": None if plan.model is None else plan.model.name,
        "openai_base_url": f"{connection.api_target.url}/v1",
        "instance_types": _in_one_line(list(dict.fromkeys(offer.instance_type for offer in plan.every_offer))),
        "hourly_price": _prices(plan),
        "logs": _follow(stack),
        "curl": _curl(plan, connection, gateway),
        "what_next": {
            "send a request": f"{_output(stack, 'curl')} | sh",
            "follow its logs": _follow(stack),
            "see what runs": SEE,
            switch: f"{_set(stack, 'auth', 'false' if closed else 'true')} && {_pulumi(stack, 'up')}",
            "take it down": _pulumi(stack, "destroy"),
        },
    }
    return {name: value for name, value in outputs.items() if value is not None}


def gateway_next(plan: GatewayPlan, *, stack: str) -> Mapping[str, str]:
    """Return the output `what_next` of a gateway."""
    deploy = ["pulumi stack init NAME", "pulumi config set configuration FILE", "pulumi up"]
    if stack != DEFAULT_GATEWAY:
        deploy.insert(2, f"pulumi config set gateway {shlex.quote(stack)}")
    unprotect = [_set(stack, "protect", "false"), _pulumi(stack, "up")] if plan.protect else []
    return {
        "deploy a service": " && ".join(deploy),
        "follow its logs": _follow(stack),
        "see what runs": SEE,
        "see the API keys": f"{_output(stack, 'api_keys')} --show-secrets",
        "take it down, after its services": " && ".join([*unprotect, _pulumi(stack, "destroy")]),
    }


def _prices(plan: ServicePlan) -> str:
    if not plan.others:
        return _price(plan)
    return "; ".join(f"group {group.group}: {_price(group)}" for group in plan.groups)


def _price(plan: ServicePlan) -> str:
    """Return the price of a replica on the cheapest offer. Prices of spot instances change, and are lower."""
    offer, spot = plan.offers[0], plan.purchase.spot_policy == "spot"
    each = " for each replica" if plan.replicas.maximum > 1 else ""
    bought = "spot" if spot else "on demand"
    return f"{'less than ' if spot else ''}${number(offer.price)} an hour{each} ({offer.instance_type}, {bought})"


def _in_one_line(names: Sequence[str]) -> str:
    """Return as many names as Pulumi shows in a line, and how many more there are."""
    for shown in range(len(names), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        line = ", ".join(names[:shown]) + more
        if len(line) <= SHOWN:
            return line
    return ", ".join(names)


def _curl(plan: ServicePlan, connection: Connection, gateway: str) -> str:
    """Return a request to paste. The shell reads the key from the gateway's stack, because a service knows no key."""
    key = f'-H "Authorization: Bearer $({_first_key(gateway)})"' if _needs_key(plan, connection) else None
    if plan.model is None:
        return _lines(f"curl {shlex.quote(f'{connection.url(plan.run)}/')}", key)
    body = {
        "model": plan.model.name,
        "messages": [{"role": "user", "content": "What is Deep Learning?"}],
        "max_tokens": 128,
    }
    url = shlex.quote(f"{connection.api_target.url}/v1/chat/completions")
    data = shlex.quote(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    return _lines(f"curl {url} -H 'Content-Type: application/json'", key, f"-d {data}")


def _needs_key(plan: ServicePlan, connection: Connection) -> bool:
    return connection.auth if plan.auth is None else plan.auth


def _lines(*parts: str | None) -> str:
    """Return one command of a shell on several lines."""
    return " \\\n  ".join(part for part in parts if part is not None)


def _first_key(gateway: str) -> str:
    """Return a command that prints the first key of the gateway. Pulumi prints all keys as one line of JSON."""
    return f"{_output(gateway, 'api_keys')} --show-secrets | cut -sd'\"' -f4"


def _follow(stack: str) -> str:
    return f"make logs STACK={shlex.quote(stack)} ARGS=--follow"


def _output(stack: str, name: str) -> str:
    return _pulumi(stack, f"stack output {name}")


def _set(stack: str, key: str, value: str) -> str:
    return _pulumi(stack, f"config set {key} {value}")


def _pulumi(stack: str, command: str) -> str:
    return f"pulumi {command} --stack {shlex.quote(stack)}"
