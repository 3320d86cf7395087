"""What a stack says when it is deployed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from infra.components.connection import Connection
from infra.planning import ServicePlan


def service_outputs(plan: ServicePlan, connection: Connection, *, gateway: str) -> Mapping[str, Any]:
    """Outputs of a service, but for its logs. `gateway`: the full name of the gateway's stack."""
    return {
        "url": connection.url(plan.run),
        "model": None if plan.model is None else plan.model.name,
        "openai_base_url": f"{connection.api_target.url}/v1",
        "instance_types": [offer.instance_type for offer in plan.offers],
        "hourly_price": plan.offers[0].price,
        "curl": _curl(plan, connection, gateway),
    }


def tail(log_group: str, region: str) -> str:
    """A command that shows a log as it grows."""
    return shlex.join(["aws", "logs", "tail", log_group, "--follow", "--region", region])


def _curl(plan: ServicePlan, connection: Connection, gateway: str) -> str:
    """A request to paste, with its key where one is needed: the shell reads that from the gateway's stack, because a
    service knows no key."""
    words = ["curl"]
    if connection.auth if plan.auth is None else plan.auth:
        words.append(f'-H "Authorization: Bearer $({_first_key(gateway)})"')
    if plan.model is None:
        return " ".join([*words, shlex.quote(f"{connection.url(plan.run)}/")])
    body = {
        "model": plan.model.name,
        "messages": [{"role": "user", "content": "What is Deep Learning?"}],
        "max_tokens": 128,
    }
    words += [
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        shlex.quote(f"{connection.api_target.url}/v1/chat/completions"),
    ]
    return " ".join(words)


def _first_key(gateway: str) -> str:
    """A command that prints the first of the gateway's keys."""
    read = "import json,sys; print(next(iter(json.load(sys.stdin).values())))"
    return f"pulumi stack output api_keys --show-secrets --json --stack {shlex.quote(gateway)} | python3 -c '{read}'"
