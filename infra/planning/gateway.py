"""From a gateway's configuration to its plan."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from infra.configuration import GatewayConfiguration, GatewaySettings, Problem
from infra.planning.adapter_layer import layer_region, published_layer
from infra.planning.alarms import alarm_notes, alarm_plan, topic_problems
from infra.planning.api_key import planned_keys
from infra.planning.plan import GatewayPlan, PlanError
from infra.planning.prices import HOURS, read_prices

LONGEST_DOMAIN = 62
"""Characters of a domain whose certificate the program requests. With `*.` before it, a domain has the 64 that ACM
allows for the first name of a certificate (RFC 5280). A certificate that exists can have longer names."""
LONGEST_HOST = 128
"""Characters of `<run name>.<domain>`: what a condition of a load balancer's rule allows."""
AUDIT_DAYS = 90
"""The number of days after which an audit log is deleted."""
_NAME = re.compile(r"(?!sg-)[a-z][a-z0-9-]{1,40}")
"""EC2 refuses names of security groups that begin with `sg-`. Names of roles have at most 64 characters with a
suffix."""


def plan_gateway(
    configuration: GatewayConfiguration,
    *,
    name: str,
    settings: GatewaySettings | None = None,
    now: datetime | None = None,
) -> GatewayPlan:
    """Return the plan of a gateway: everything that will be deployed.

    Args:
        configuration: the configuration, with the stack's settings already applied.
        name: the name of the stack, for a gateway whose configuration has no name.
        settings: the settings that only stack config has; `None`: the defaults.
        now: the time at which a note calls a key expired, with a time zone; `None`: the present.

    Raises:
        PlanError: the configuration cannot be deployed. The error has every problem, with its place and remedy.
    """
    settings = settings or GatewaySettings(configuration=configuration.source.name)
    problems = [
        *_name_problems(configuration, name),
        *_domain_problems(configuration, settings),
        *_layer_problems(configuration, settings),
        *topic_problems(alarm_plan(settings), configuration.region),
    ]
    if problems:
        raise PlanError(configuration.source, problems)
    return GatewayPlan(
        name=configuration.name or name,
        region=configuration.region,
        domain=configuration.domain,
        certificate_arn=None if configuration.certificate is None else configuration.certificate.arn,
        auth=settings.auth,
        keys=planned_keys(settings.keys),
        zone_id=settings.zone_id,
        vpc_id=settings.vpc_id,
        subnet_ids=settings.subnet_ids,
        protect=settings.protect,
        manage_api_gateway_account=settings.manage_api_gateway_account,
        adapter_layer=settings.adapter_layer,
        memory_size=settings.memory_size,
        reserved_concurrency=settings.reserved_concurrency,
        audit=settings.audit,
        allowed_origins=settings.allowed_origins,
        tags=tuple(configuration.tags.items()),
        alarms=alarm_plan(settings),
        preflight=settings.preflight,
        notes=_notes(configuration, settings, now or datetime.now(UTC)),
    )


def _name_problems(configuration: GatewayConfiguration, stack: str) -> list[Problem]:
    """A name of a stack can be invalid as the beginning of the name of a load balancer, role or security group."""
    name = configuration.name or stack
    if _NAME.fullmatch(name):
        return []
    where = "name" if configuration.name else "stack name"
    line = configuration.source.line(("name",)) if configuration.name else None
    rule = "a gateway's name has 2 to 41 characters of a-z, 0-9 and -; it begins with a letter, but not with sg-"
    remedy = "write another name into the configuration, as `name: …`"
    return [Problem(where=where, line=line, found=repr(name)[:80], rule=rule, remedy=remedy)]


def _domain_problems(configuration: GatewayConfiguration, settings: GatewaySettings) -> list[Problem]:
    domain = configuration.domain
    if domain is None:
        if settings.zone_id is None:
            return []
        rule, remedy = "a hosted zone needs a domain, but domain is not set", "set domain, or remove zone_id"
        return [Problem(where="stack config zone_id", found=settings.zone_id, rule=rule, remedy=remedy)]
    problems: list[Problem] = []
    line = configuration.source.line(("domain",))
    if configuration.certificate is None and len(domain) > LONGEST_DOMAIN:
        rule = f"a domain has at most {LONGEST_DOMAIN} characters, because ACM allows 64 for *.<domain>"
        remedy = "choose a shorter domain, or bring a certificate for it: `certificate: {type: acm, arn: …}`"
        problems.append(Problem(where="domain", line=line, found=f"{len(domain)} characters", rule=rule, remedy=remedy))
    if len(domain) > LONGEST_HOST - len("gateway."):
        rule = f"gateway.<domain> has at most {LONGEST_HOST} characters, because the load balancer compares no more"
        remedy = "choose a shorter domain"
        problems.append(Problem(where="domain", line=line, found=f"{len(domain)} characters", rule=rule, remedy=remedy))
    if not domain.rpartition(".")[2].isalpha():
        rule = "the last label of a domain has only letters, because the load balancer routes no other hosts"
        remedy = "choose a domain under another top-level domain"
        problems.append(Problem(where="domain", line=line, found=domain[:80], rule=rule, remedy=remedy))
    return problems


def _layer_problems(configuration: GatewayConfiguration, settings: GatewaySettings) -> list[Problem]:
    region, layer = configuration.region, settings.adapter_layer
    if layer is None:
        return [] if published_layer(region) else [_unpublished(configuration)]
    of_layer = layer_region(layer)
    if of_layer == region:
        return []
    if of_layer is None:
        rule = "adapter_layer is the ARN of a version of a Lambda layer"
        remedy = (
            f"write arn:aws:lambda:{region}:<account>:layer:<name>:<version>, or remove it to use the published one"
        )
    else:
        rule = f"a function can use only layers of its own region, which is {region}"
        remedy = f"publish the layer in {region} and name that one, or remove it to use the published one"
    return [Problem(where="stack config adapter_layer", found=layer[:200], rule=rule, remedy=remedy)]


def _unpublished(configuration: GatewayConfiguration) -> Problem:
    rule = "the Lambda Web Adapter has no published layer in this region"
    remedy = "choose another region, or publish a copy of the layer for arm64 and set adapter_layer to its ARN"
    line = configuration.source.line(("region",))
    return Problem(where="region", line=line, found=configuration.region, rule=rule, remedy=remedy)


def _notes(configuration: GatewayConfiguration, settings: GatewaySettings, now: datetime) -> tuple[str, ...]:
    notes: list[str] = []
    if configuration.instance_type is not None:
        notes.append(
            f"instance_type: the gateway is a function, not an instance ({configuration.instance_type}). AWS runs as "
            "many copies of it as requests need; memory_size in stack config is the size of one."
        )
    if configuration.replicas is not None and configuration.replicas > 1:
        notes.append(
            f"replicas: the gateway is a function, and AWS runs more than {configuration.replicas} copies of it if "
            "requests need them, in several availability zones."
        )
    if configuration.domain is None:
        notes.append(
            "Without a domain, the gateway answers at the API's own address; runs are at /services/<run name>/."
        )
    notes += [
        f"The key {name} expired at {options.expires:%Y-%m-%d %H:%M:%S} UTC, and the gateway refuses it."
        for name, options in settings.keys.items()
        if options.expires is not None and options.expires <= now
    ]
    if not settings.auth:
        notes.append("auth is false: services that do not set auth are open to everyone on the internet.")
    if settings.reserved_concurrency is not None:
        notes.append(
            f"reserved_concurrency is {settings.reserved_concurrency}: the gateway answers at most that many requests "
            "at once, and other functions of the account cannot use these instances."
        )
    if settings.audit:
        kept = f"Each log is deleted after {AUDIT_DAYS} days"
        notes.append(f"audit is true: the bucket with the logs stays when the stack is destroyed. {kept}.")
    if settings.audit and settings.vpc_id is not None:
        notes.append(f"audit logs only the load balancer: {settings.vpc_id} is an existing VPC, which others can use.")
    notes += alarm_notes(alarm_plan(settings), read_prices()["load balancer"].usd * HOURS)
    return tuple(notes)
