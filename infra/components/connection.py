"""What a service stack reads from its gateway's stack, and the checks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, cast

import msgspec
import pulumi

from infra.configuration import ConfigurationError, Problem
from infra.planning import ServicePlan
from infra.planning.alarms import topic_problems
from infra.planning.gateway import LONGEST_HOST

VERSION = 1
"""Of the output's meaning. A gateway of another version is deployed again before services are."""


@dataclass(frozen=True, kw_only=True)
class ApiTarget:
    """Where the gateway answers."""

    url: str
    """Base URL of the OpenAI API, without `/v1`, and of `/services/<run>/`."""
    name: str | None = None
    """What a run's DNS record is an alias of; `None`: there is no domain."""
    zone_id: str | None = None
    """Of `name`."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A gateway, as its services know it."""

    version: int
    region: str
    domain: str | None = None
    vpc_id: str
    subnet_ids: Sequence[str]
    listener_arn: str
    alb_arn_suffix: str
    alb_security_group: str
    table: str
    zone_id: str | None = None
    api_target: ApiTarget
    auth: bool
    """Whether services that do not say need a key."""
    files_bucket: str | None = None
    """Where `files` and `repos` of services are; `None`: the gateway was deployed before there was one."""

    @property
    def account(self) -> str | None:
        """The AWS account of the gateway; `None`: the listener's ARN does not name one."""
        return self.listener_arn.split(":")[4] or None if self.listener_arn.count(":") >= 5 else None

    def host(self, run: str) -> str:
        """Return the host name by which the load balancer knows a run."""
        return f"{run}.{self.domain or 'internal'}"

    def url(self, run: str) -> str:
        """Return the address of a run."""
        if self.domain is None:
            return f"{self.api_target.url}/services/{run}"
        return f"https://{run}.{self.domain}"


def checked_connection(plan: ServicePlan, stack: str, output: pulumi.Output[Any]) -> pulumi.Output[Connection]:
    """Return the gateway's output `connection`, or an error with everything that does not fit `plan`.

        `stack`: the gateway's stack, as messages name it. Every resource of a service takes its input from this, so
    nothing is created before the check.
    """
    return output.apply(lambda value: read_connection(plan, stack, value))


def read_connection(plan: ServicePlan, stack: str, value: object) -> Connection:
    """Return a connection whose value is known, checked as by `checked_connection`. Raises RunError."""
    problems = list(_problems(plan, value))
    if problems:
        raise pulumi.RunError(str(ConfigurationError(f"gateway {stack}", problems)))
    return msgspec.convert(value, Connection, strict=False)


def _problems(plan: ServicePlan, value: object) -> list[Problem]:
    given = cast(Mapping[str, Any], value if isinstance(value, Mapping) else {})
    if given.get("version") != VERSION:
        rule = f"this program reads version {VERSION} of a gateway's connection"
        remedy = "run pulumi up in the gateway's stack with the same version of servestack as here"
        return [Problem(where="version", found=str(given.get("version")), rule=rule, remedy=remedy)]
    try:
        connection = msgspec.convert(value, Connection, strict=False)
    except msgspec.ValidationError as error:
        return [_no_connection(str(error))]
    if connection.domain is not None and None in (connection.zone_id, *astuple(connection.api_target)):
        return [_no_connection("a domain without its hosted zone or without the name that its records point to")]
    return [
        *_region_problems(plan, connection.region),
        *_zone_problems(plan, connection.region),
        *topic_problems(plan.alarms, connection.region),
        *_host_problems(connection.host(plan.run)),
        *_files_problems(plan, connection),
    ]


def _no_connection(found: str) -> Problem:
    remedy = "run pulumi up in the gateway's stack, with the program of servestack"
    return Problem(where="connection", found=found, rule="this is not the connection of a gateway", remedy=remedy)


def _host_problems(host: str) -> list[Problem]:
    if len(host) <= LONGEST_HOST:
        return []
    rule = f"the host of a run has at most {LONGEST_HOST} characters, because the load balancer compares no more"
    return [Problem(where="name", found=f"{len(host)} characters: {host}", rule=rule, remedy="choose a shorter name")]


def _files_problems(plan: ServicePlan, connection: Connection) -> list[Problem]:
    if not plan.lays or connection.files_bucket is not None:
        return []
    rule = "files and repos need a bucket of the gateway, and this gateway was deployed before there was one"
    remedy = "run pulumi up in the gateway's stack first: it makes the bucket"
    return [Problem(where="files" if plan.files else "repos", rule=rule, remedy=remedy)]


def _region_problems(plan: ServicePlan, region: str) -> list[Problem]:
    if plan.regions is None or region in plan.regions:
        return []
    rule = f"a service runs in the region of its gateway, which is {region}"
    remedy = f"add {region} to regions, remove regions, or use a gateway in another region"
    return [Problem(where="regions", found=", ".join(plan.regions), rule=rule, remedy=remedy)]


def _zone_problems(plan: ServicePlan, region: str) -> list[Problem]:
    zones = plan.availability_zones
    if zones is None or any(zone.startswith(region) for zone in zones):
        return []
    rule = f"a service runs in the region of its gateway, which is {region}"
    remedy = f"name a zone of {region}, or remove availability_zones"
    return [Problem(where="availability_zones", found=", ".join(zones), rule=rule, remedy=remedy)]
