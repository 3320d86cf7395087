"""The state of the stack of a service, as `pulumi stack export` prints it, and a `pulumi` that prints it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from commands.stack_state import GROUP, LOG_GROUP, TABLE_ITEM
from infra.planning.table_items import claim_item
from tests.readiness import cloud as scripted

PROFILE = {"aws:profile": {"value": "work", "secret": False}}
CLAIM = claim_item("yellow-cat-1", "organization/servestack/yellow-cat-1")
RESOURCES: dict[str, dict[str, Any]] = {
    GROUP: {
        "name": scripted.GROUP,
        "arn": f"arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:0:autoScalingGroupName/{scripted.GROUP}",
        "minSize": 1,
        "targetGroupArns": [scripted.AWAITED.target_group],
        "healthCheckGracePeriod": 300,
        "mixedInstancesPolicy": {
            "launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": "lt-1", "version": "2"}}
        },
        "instanceRefresh": {
            "strategy": "Rolling",
            "preferences": {"minHealthyPercentage": 100, "maxHealthyPercentage": 200, "instanceWarmup": "2100"},
        },
    },
    LOG_GROUP: {"name": "/servestack/yellow-cat-1"},
    TABLE_ITEM: {"item": CLAIM, "tableName": "gateway-table-1a2b3c4"},
}


def state(changed: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    given = changed or {}
    resources = [{"type": kind, "outputs": {**outputs, **given.get(kind, {})}} for kind, outputs in RESOURCES.items()]
    return {"version": 3, "deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}, *resources]}}


def pulumi(
    exported: dict[str, Any], config: dict[str, Any] | None = None, asked: list[Sequence[str]] | None = None
) -> Any:
    def ask(arguments: Sequence[str]) -> str:
        if asked is not None:
            asked.append(arguments)
        return json.dumps(exported if arguments[0] == "stack" else config or {})

    return ask
