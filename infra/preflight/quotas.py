"""Whether the account's quotas of vCPUs have room for a service's replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from infra.planning import ServicePlan, read_catalog
from infra.planning.resource_tags import RUN_TAG, STACK_TAG
from infra.preflight.aws_errors import aws_failures, collected, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning
from infra.preflight.needs import Need, Quota, at_most, needs

TOPIC = "GPU quota"

_BOUGHT = {"on-demand": "on demand", "spot": "spot"}


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left of a quota."""

    limit: int
    used: int
    """By instances that are not the service's own."""

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)


def check_quotas(aws: AwsClient, plan: ServicePlan, region: str, owner: str) -> list[Finding]:
    """A finding for each way of buying that the plan uses. Raises what boto3 raises where AWS does not answer.

    `owner`: full name of the service's stack.
    """
    client, running = aws("service-quotas", region), _running(aws("ec2", region), plan.run, owner)

    def room(quota: Quota) -> Room:
        used = sum(vcpus for kind, spot, vcpus in running if quota.covers(kind) and spot == (quota.bought == "spot"))
        return Room(limit=_limit(client, quota.code), used=used)

    return [
        _finding(plan, region, list(alternatives), room)
        for _, alternatives in groupby(needs(plan), key=lambda need: need.quota.bought)
    ]


def _finding(plan: ServicePlan, region: str, alternatives: Sequence[Need], room: Callable[[Quota], Room]) -> Finding:
    """Of one way of buying. Replicas start from whichever quota has room; that of the cheapest offer is spoken of."""
    first, rooms = alternatives[0], [room(need.quota) for need in alternatives]
    if rooms[0].free >= first.most:
        return ok(TOPIC, f"{_state(first, rooms[0], region)}; {_full(plan, first)}")
    ask = _ask(first, rooms[0], region)
    for need, found in zip(alternatives, rooms, strict=True):
        if found.free >= need.least:
            other = "" if need is first else f" ({need.offer.instance_type} of {need.quota.name} can start)"
            return warning(TOPIC, f"{_state(first, rooms[0], region)}, too few{other}: {_full(plan, first)}; {ask}")
    return refusal(
        TOPIC,
        f"{_state(first, rooms[0], region)}, and a replica cannot start: {_first(first)}, {_full(plan, first)}; {ask}",
    )


def _state(need: Need, room: Room, region: str) -> str:
    quota = need.quota
    return f"{quota.name} ({quota.code}) in {region}: {room.limit} vCPUs, {room.used} in use by others"


def _first(need: Need) -> str:
    return f"to begin with, {need.offer.instance_type} takes {need.least}"


def _full(plan: ServicePlan, need: Need) -> str:
    most = at_most(plan)
    replicas = "1 replica" if most == 1 else f"{most} replicas"
    extra = most - plan.replicas.maximum
    roll = f" ({plan.replicas.maximum} and {extra} more while they are replaced)" if extra else ""
    part = "" if need.count == most else f", {need.count} of them {_BOUGHT[need.quota.bought]},"
    return f"{replicas}{roll} of {need.offer.instance_type}{part} take {need.most}"


def _ask(need: Need, room: Room, region: str) -> str:
    wanted = room.used + need.most
    return (
        f"ask for {wanted}: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code "
        f"{need.quota.code} --desired-value {wanted} --region {region}"
    )


def _limit(client: Any, code: str) -> int:
    try:
        found: Any = client.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except aws_failures() as error:
        if error_code(error) != "NoSuchResourceException":
            raise
        found = client.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
    return int(found["Quota"]["Value"])


def _running(ec2: Any, run: str, owner: str) -> list[tuple[str, bool, int]]:
    """(type, whether it is spot, vCPUs) of every instance that counts towards some quota, but for the service's own."""
    known = {instance.name: instance.vcpus for instance in read_catalog()}
    counting = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    return [
        (kind, instance.get("InstanceLifecycle") == "spot", known.get(kind) or _vcpus(instance))
        for reservation in collected(ec2.describe_instances, "Reservations", Filters=counting)
        for instance in reservation["Instances"]
        for kind in [instance["InstanceType"]]
        if not _is_own(instance, run, owner)
    ]


def _vcpus(instance: Any) -> int:
    options = instance.get("CpuOptions", {})
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))


def _is_own(instance: Any, run: str, owner: str) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return tags.get(RUN_TAG) == run and tags.get(STACK_TAG) == owner
