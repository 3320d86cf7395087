"""Whether the account's quotas of vCPUs are large enough for a service's replicas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from infra.planning import ServicePlan, read_catalog
from infra.planning.resource_tags import RUN_TAG, STACK_TAG
from infra.preflight.aws_errors import aws_failures, collected, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning
from infra.preflight.needs import Need, Quota, at_most, needs, quotas

TOPIC = "GPU quota"

_BOUGHT = {"on-demand": "on demand", "spot": "spot"}


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left of a quota."""

    code: str
    name: str
    """As AWS calls it in this region."""
    limit: int
    used: int
    """By instances of others than this service."""
    first: int = 0
    """vCPUs for the first replicas of the service's groups before this one."""
    full: int = 0
    """vCPUs for these groups at full size."""

    @property
    def free_at_first(self) -> int:
        return max(0, self.limit - self.used - self.first)

    @property
    def free_at_full(self) -> int:
        return max(0, self.limit - self.used - self.full)


@dataclass(frozen=True, kw_only=True)
class Running:
    """An instance that exists already."""

    instance_type: str
    bought: str
    """`on-demand`, `spot`, or a way that has its own quotas: `capacity-block`."""
    vcpus: int


def check_quotas(aws: AwsClient, plan: ServicePlan, region: str, owner: str) -> list[Finding]:
    """Return a finding for each way of buying that the plan uses, of each group. Groups before it count as if they were
    bought already. Raises what boto3 raises when AWS does not answer.

    `owner`: full name of the service's stack.
    """
    wanted = [(group, need) for group in plan.groups for need in needs(group)]
    if not wanted:
        return []
    client, running = aws("service-quotas", region), _running(aws("ec2", region), plan.run, owner)
    first, full = Counter[str](), Counter[str]()

    def room(quota: Quota) -> Room:
        return replace(_room(client, quota, running), first=first[quota.code], full=full[quota.code])

    findings: list[Finding] = []
    for _, found in groupby(wanted, key=lambda one: (one[0].group, one[1].quota.bought)):
        alternatives = list(found)
        group, cheapest = alternatives[0]
        finding = _finding(group, region, [need for _, need in alternatives], room)
        findings.append(replace(finding, message=f"group {group.group}: {finding.message}") if plan.others else finding)
        if group.replicas.minimum:
            first[cheapest.quota.code] += cheapest.least
        full[cheapest.quota.code] += cheapest.most
    return findings


def _finding(plan: ServicePlan, region: str, alternatives: Sequence[Need], room: Callable[[Quota], Room]) -> Finding:
    """The finding for one way of buying. Replicas start from any quota with room; the finding describes the quota of
    the cheapest offer."""
    first, rooms = alternatives[0], [room(need.quota) for need in alternatives]
    state = f"{rooms[0].name} ({rooms[0].code}) in {region}: {rooms[0].limit} vCPUs, {rooms[0].used} in use by others"
    if rooms[0].full:
        state += f", {rooms[0].full} for the groups before"
    if rooms[0].free_at_full >= first.most:
        return ok(TOPIC, f"{state}; {_full(plan, first)}")
    ask = _ask(first, rooms[0], region)
    for need, found in zip(alternatives, rooms, strict=True):
        if found.free_at_first >= need.least:
            other = "" if need is first else f" ({need.offer.instance_type} of {found.name} can start)"
            return warning(TOPIC, f"{state}, which is too few{other}: {_full(plan, first)}; {ask}")
    return refusal(TOPIC, f"{state}, so no replica can start: {_first(first)}, and {_full(plan, first)}; {ask}")


def _first(need: Need) -> str:
    return f"the first {need.offer.instance_type} needs {need.least}"


def _full(plan: ServicePlan, need: Need) -> str:
    most = at_most(plan)
    replicas = "1 replica" if most == 1 else f"{most} replicas"
    extra = most - plan.replicas.maximum
    roll = f" ({plan.replicas.maximum} and {extra} more during a roll)" if extra else ""
    part = "" if need.count == most else f", {need.count} of them {_BOUGHT[need.quota.bought]},"
    return f"{replicas}{roll} of {need.offer.instance_type}{part} {'needs' if most == 1 else 'need'} {need.most}"


def _ask(need: Need, room: Room, region: str) -> str:
    wanted = room.used + room.full + need.most
    return (
        f"ask for {wanted}: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code "
        f"{room.code} --desired-value {wanted} --region {region}"
    )


def _room(client: Any, quota: Quota, running: Sequence[Running]) -> Room:
    counting, found = [quota], _quota(client, quota.code)
    if found is None:
        counting += [other for other in quotas() if other.code == quota.instead]
        found = _quota(client, quota.instead or quota.code) or {}
    used = sum(
        one.vcpus
        for one in running
        if one.bought == quota.bought and any(other.covers(one.instance_type) for other in counting)
    )
    name = found.get("QuotaName", counting[-1].name)
    return Room(code=counting[-1].code, name=name, limit=int(found["Value"]), used=used)


def _quota(client: Any, code: str) -> Mapping[str, Any] | None:
    """A quota as AWS describes it; `None`: the region has no quota with this code."""
    for ask in (
        client.get_service_quota,
        client.get_aws_default_service_quota,
    ):  # the first knows only what was changed
        try:
            return ask(ServiceCode="ec2", QuotaCode=code)["Quota"]
        except aws_failures() as error:
            if error_code(error) != "NoSuchResourceException":
                raise
    return None


def _running(ec2: Any, run: str, owner: str) -> list[Running]:
    """Every instance that counts towards a quota, without the instances of this service."""
    known = {instance.name: instance.vcpus for instance in read_catalog()}
    counting = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    return [
        Running(
            instance_type=kind,
            bought=instance.get("InstanceLifecycle", "on-demand"),
            vcpus=known.get(kind) or _vcpus(instance),
        )
        for reservation in collected(ec2.describe_instances, "Reservations", Filters=counting, MaxResults=1000)
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
