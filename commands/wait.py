"""`make wait STACK=…`: wait until a service serves, or say why it does not, as `pulumi up` does at its end.

The command reads the state of the stack, because the outputs do not name the group.
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
    """There is nothing to wait for. The message says why and what to do."""


def main(
    arguments: Sequence[str],
    *,
    pulumi: Pulumi | None = None,
    clients: Callable[[str, str | None], Clients] = aws_clients,
    clock: Clock | None = None,
) -> int:
    """Return 0 if the service serves, 1 if it does not, and 2 if there is nothing to wait for."""
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
    """Return what to wait for, from the stack of a service.

    Args:
        stack: its name, for messages.
        state: what `pulumi stack export` prints.
        config: what `pulumi config --json` prints.

    Raises:
        WaitError: the stack is not of a service, or is not deployed yet, or has no replicas to wait for.
    """
    deployment: Mapping[str, Any] = state.get("deployment") or {}
    resources: Sequence[Mapping[str, Any]] = deployment.get("resources") or []
    there = [resource for resource in resources if resource.get("outputs") and not resource.get("delete")]
    if any(resource["type"] == _GATEWAY for resource in resources):
        raise WaitError(
            f"{stack} is the stack of a gateway, which has no replicas to wait for: name the stack of a service"
        )
    group = _outputs(stack, there, GROUP)
    minimum = int(group["minSize"])
    if minimum == 0:
        raise WaitError(
            f"{stack} can have no replica at all (replicas: 0..), so there is nothing to wait for. If its "
            "configuration has more, its group was stopped and pulumi refresh has noted that: run pulumi up "
            f"--stack {stack}"
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
            f"{stack} has no {kind} in its state: it is not the stack of a service, or pulumi up ended too early. "
            f"Run pulumi up --stack {stack}"
        )
    outputs: Mapping[str, Any] = found[-1]["outputs"]
    return outputs


def _template(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the version of the launch template that the group has. A failed `pulumi up` can have made newer ones."""
    return group["mixedInstancesPolicy"]["launchTemplate"]["launchTemplateSpecification"]


def _claim(stack: str, resources: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the run name and the table that has its claim."""
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
