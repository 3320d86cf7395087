"""From a gateway's configuration to its plan."""

from __future__ import annotations

import re

from infra.configuration import GatewayConfiguration, GatewaySettings, Problem
from infra.planning.plan import GatewayPlan, PlanError

SMALLEST_NUMBER_OF_SUBNETS = 2
"""A load balancer stands in two availability zones."""

_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)


def plan_gateway(
    configuration: GatewayConfiguration, *, name: str, settings: GatewaySettings | None = None
) -> GatewayPlan:
    """Decides everything that will be deployed.

    Args:
        configuration: with the stack's settings already applied to it.
        name: the gateway's name where the configuration has none: the stack's.
        settings: what only stack config says; `None`: the defaults.

    Raises:
        PlanError: with every problem, each with its place and remedy.
    """
    settings = settings or GatewaySettings(configuration=configuration.source.name)
    problems = [*_key_problems(settings), *_network_problems(settings), *_domain_problems(configuration, settings)]
    if problems:
        raise PlanError(configuration.source.name, problems)
    return GatewayPlan(
        name=configuration.name or name,
        region=configuration.region,
        domain=configuration.domain,
        certificate_arn=None if configuration.certificate is None else configuration.certificate.arn,
        auth=settings.auth,
        keys=settings.keys,
        zone_id=settings.zone_id,
        vpc_id=settings.vpc_id,
        subnet_ids=settings.subnet_ids,
        protect=settings.protect,
        manage_api_gateway_account=settings.manage_api_gateway_account,
        adapter_layer=settings.adapter_layer,
        memory_size=settings.memory_size,
        tags=tuple(configuration.tags.items()),
        preflight=settings.preflight,
        notes=_notes(configuration, settings),
    )


def _key_problems(settings: GatewaySettings) -> list[Problem]:
    problems = [
        Problem(
            where="stack config keys",
            found=repr(key)[:80],
            rule="a key's name has 1 to 64 of letters, digits and . _ @ + -, and begins with a letter or digit",
            remedy="name it for who uses it, for example alice",
        )
        for key in settings.keys
        if not _KEY_NAME.fullmatch(key)
    ]
    if twice := sorted({key for key in settings.keys if settings.keys.count(key) > 1}):
        rule = "each key has a name of its own"
        problems.append(
            Problem(where="stack config keys", found=", ".join(twice), rule=rule, remedy="remove one of the two")
        )
    return problems


def _network_problems(settings: GatewaySettings) -> list[Problem]:
    if settings.vpc_id is None and settings.subnet_ids is None:
        return []
    if settings.vpc_id is None or settings.subnet_ids is None:
        given = "vpc_id" if settings.vpc_id else "subnet_ids"
        other = "subnet_ids" if settings.vpc_id else "vpc_id"
        rule = "an existing VPC is used with subnets of it that are named"
        return [Problem(where=f"stack config {given}", rule=rule, remedy=f"set {other} too, or remove {given}")]
    if len(set(settings.subnet_ids)) < SMALLEST_NUMBER_OF_SUBNETS:
        return [
            Problem(
                where="stack config subnet_ids",
                found=", ".join(settings.subnet_ids),
                rule="the load balancer stands in two availability zones at least, in a subnet of each",
                remedy="name public subnets in two zones or more",
            )
        ]
    return []


def _domain_problems(configuration: GatewayConfiguration, settings: GatewaySettings) -> list[Problem]:
    if configuration.domain is not None:
        return []
    problems: list[Problem] = []
    if configuration.certificate is not None:
        line = configuration.source.line(("certificate",))
        rule, remedy = "a certificate is for a domain, and there is none", "set domain, or remove certificate"
        problems.append(Problem(where="certificate", line=line, rule=rule, remedy=remedy))
    if settings.zone_id is not None:
        rule, remedy = "a hosted zone is for a domain, and there is none", "set domain, or remove zone_id"
        problems.append(Problem(where="stack config zone_id", found=settings.zone_id, rule=rule, remedy=remedy))
    return problems


def _notes(configuration: GatewayConfiguration, settings: GatewaySettings) -> tuple[str, ...]:
    notes: list[str] = []
    if configuration.domain is None:
        notes.append("Without a domain the API's own address serves, with runs at /services/<run name>/.")
    if not settings.auth:
        notes.append("auth is false: services that do not say otherwise are open to everyone on the internet.")
    return tuple(notes)
