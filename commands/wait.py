"""`make wait STACK=…`: what `pulumi up` does at its end, by hand: wait until a service serves, or say why it does not.

What there is to wait for comes out of the stack's state and not out of its outputs, which say nothing of the group.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from infra.planning.plan import Roll
from infra.planning.table_items import PARTITION_KEY, REGISTRY, SORT_KEY
from infra.readiness import Awaited, Clients, Clock, NotServingError, WallClock, aws_clients, wait_until_serving

GROUP = "aws:autoscaling/group:Group"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
TABLE_ITEM = "aws:dynamodb/tableItem:TableItem"
PROJECT = "servestack"
"""As in Pulumi.yaml."""
_CLAIM = "claim#"
_GATEWAY = "servestack:gateway:Gateway"


class WaitError(Exception):
    """Nothing can be waited for; the message says why and what to do."""


def main(
    arguments: Sequence[str],
    *,
    pulumi: Pulumi | None = None,
    clients: Callable[[str, str | None], Clients] = aws_clients,
    clock: Clock | None = None,
) -> int:
    """The command; 0 when the service serves, 1 when it does not, 2 when there is nothing to wait for."""
    parser = argparse.ArgumentParser(prog="make wait", description="Waits until a service serves.")
    parser.add_argument("stack", nargs="?", help="the service's stack: name, or org/project/stack")
    stack: str | None = parser.parse_args(arguments).stack
    if stack is None:
        parser.error("name the stack of a service: make wait STACK=NAME (pulumi stack ls lists them)")
    ask = pulumi or run_pulumi
    try:
        _say(f"Asking pulumi for the stack {stack} …")
        state = json.loads(ask(["stack", "export", "--stack", stack]))
        config = json.loads(ask(["config", "--json", "--stack", stack]))
        awaited = awaited_of(stack, state, config)
        made = clients(awaited.region, _value(config, "aws:profile"))
        wait_until_serving(awaited, made, clock=clock or WallClock(), say=_say)
    except (WaitError, PulumiError) as error:
        print(error, file=sys.stderr)
        return 2
    except NotServingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def awaited_of(stack: str, state: Mapping[str, Any], config: Mapping[str, Any]) -> Awaited:
    """What a service's stack says of it.

    Args:
        stack: its name, for messages.
        state: what `pulumi stack export` prints.
        config: what `pulumi config --json` prints.

    Raises:
        WaitError: it is no service's, or not there yet, or has no replicas to wait for.
    """
    deployment: Mapping[str, Any] = state.get("deployment") or {}
    resources: Sequence[Mapping[str, Any]] = deployment.get("resources") or []
    there = [resource for resource in resources if resource.get("outputs") and not resource.get("delete")]
    if any(resource["type"] == _GATEWAY for resource in resources):
        raise WaitError(f"{stack} is a gateway's stack, which has no replicas to wait for: name a service's")
    group = _outputs(stack, there, GROUP)
    minimum = int(group["minSize"])
    if minimum == 0:
        raise WaitError(
            f"{stack} may have no replica at all (replicas: 0..), so there is nothing to wait for. Where its replicas "
            f"are more, its group was stopped and pulumi refresh has noted that: run pulumi up --stack {stack}"
        )
    run, table = _claim(stack, there)
    preferences = group["instanceRefresh"]["preferences"]
    return Awaited(
        run=run,
        region=str(group["arn"]).split(":")[3],
        group=group["name"],
        target_group=group["targetGroupArns"][0],
        table=table,
        log_group=_outputs(stack, there, LOG_GROUP)["name"],
        version=int(_template(group)["version"]),
        minimum=minimum,
        roll=Roll(
            min_healthy_percentage=int(preferences["minHealthyPercentage"]),
            max_healthy_percentage=int(preferences["maxHealthyPercentage"]),
            warmup=int(preferences["instanceWarmup"]),
        ),
        port=None,
        boot_timeout=int(group["healthCheckGracePeriod"]),
        on_failure="keep" if _value(config, f"{PROJECT}:on_failure") == "keep" else "stop",
    )


def _outputs(stack: str, resources: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    found = [resource for resource in resources if resource["type"] == kind]
    if not found:
        raise WaitError(
            f"{stack} has no {kind} in its state: it is not a service's stack, or pulumi up ended before creating one. "
            f"Run pulumi up --stack {stack}"
        )
    outputs: Mapping[str, Any] = found[-1]["outputs"]
    return outputs


def _template(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which version of the launch template the group was last given: a `pulumi up` that failed before that has made
    newer ones."""
    return group["mixedInstancesPolicy"]["launchTemplate"]["launchTemplateSpecification"]


def _claim(stack: str, resources: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The run's name and the table it is registered in."""
    for resource in resources:
        if resource["type"] != TABLE_ITEM or not isinstance(resource["outputs"].get("item"), str):
            continue
        item: Mapping[str, Any] = json.loads(resource["outputs"]["item"])
        sort = item.get(SORT_KEY, {}).get("S", "")
        if item.get(PARTITION_KEY, {}).get("S") == REGISTRY and sort.startswith(_CLAIM):
            return sort.removeprefix(_CLAIM), resource["outputs"]["tableName"]
    raise WaitError(f"{stack} has no claim of a run name in its state: run pulumi up --stack {stack}")


def _value(config: Mapping[str, Any], key: str) -> str | None:
    return config.get(key, {}).get("value")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
