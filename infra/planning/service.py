"""From a service's configuration to its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from gateway_lambda.registry import record
from infra.configuration import Problem, ServiceConfiguration, ServiceSettings, fill_references
from infra.configuration.names import run_name_rule
from infra.planning.alarms import alarm_notes, alarm_plan
from infra.planning.base_image import base_image_notes, check_base_image
from infra.planning.boot.user_data import LARGEST_USER_DATA, bytes_at_most
from infra.planning.buying import backend_notes, plan_disk, plan_purchase, plan_replicas, purchase_notes
from infra.planning.catalog import InstanceType, read_catalog
from infra.planning.chat_model import plan_model
from infra.planning.chat_template import ResolveChatTemplate
from infra.planning.container import plan_container
from infra.planning.environment import resolve_environment
from infra.planning.health import check_probes, plan_health_check, plan_probes, probe_notes
from infra.planning.isolation import isolation_notes
from infra.planning.liveness import plan_hung_after
from infra.planning.local_files import lay_files, lay_repository, laying_notes
from infra.planning.model_fit import fit_model
from infra.planning.model_names import check_weight, weight_notes
from infra.planning.model_server import loaded_model
from infra.planning.offers import MOST_OFFERS, find_offers, offer_notes, requirement_of
from infra.planning.operation import (
    DRAINING,
    check_delays,
    operation_notes,
    plan_roll,
    plan_utilization,
    retry_notes,
    utilization_notes,
)
from infra.planning.path_notes import path_notes
from infra.planning.plan import Offer, PlanError, RateLimit, ServicePlan
from infra.planning.prices import HOURS, replica_hour
from infra.planning.private_ecr import ecr_notes
from infra.planning.relaxation import no_offer
from infra.planning.reservation import plan_reservation, reservation_notes, reserved_offers
from infra.planning.schedule import plan_schedule, schedule_notes
from infra.planning.server_notes import how_to_listen, server_notes
from infra.planning.shared_memory import shared_memory_notes
from infra.planning.weights import Weigh, unweighed


def plan_service(
    configuration: ServiceConfiguration,
    *,
    run: str,
    environment: Mapping[str, str],
    resolve: ResolveChatTemplate,
    settings: ServiceSettings | None = None,
    catalog: Sequence[InstanceType] | None = None,
    weigh: Weigh = unweighed,
) -> ServicePlan:
    """Return the plan of a service: everything that will be deployed.

    Args:
        configuration: the configuration, with the stack's settings already applied.
        run: the run name for a configuration without `name`: the stack's name or a generated one.
        environment: the caller's environment, for variables that the configuration names without a value.
        resolve: finds the chat template of a model that has none. For the Hub: `resolve_with(open_on_hub())`. It is
            called at most once, and only if something is missing.
        settings: the settings that only stack config has (`ami`, `boot_timeout`, …); `None`: the defaults.
        catalog: the instance types that exist; `None`: the committed catalog.
        weigh: finds the size of a model. For the Hub: `hub_weights.weigh_on_hub`. It is called at most once, if `gpu`
            is not set or `preflight` is on. By default, no size is known, so every GPU is an offer.

    Raises:
        PlanError: the configuration cannot be deployed. The error has every problem, with its place and remedy.
    """
    problems: list[Problem] = []
    settings = settings or ServiceSettings(configuration=configuration.source.name)
    name = _run_name(configuration, run, problems)
    values = resolve_environment(configuration, environment, settings.secrets, problems)
    configuration = fill_references(configuration, values, settings.secrets, problems)
    check_base_image(configuration, settings, problems)
    container = plan_container(configuration, settings, run=name, values=values, problems=problems)
    files = lay_files(configuration, problems)
    repository = lay_repository(configuration, settings, problems)
    disk_gb = plan_disk(configuration, problems)
    found = _offers(configuration, read_catalog() if catalog is None else catalog, disk_gb, problems)
    purchase = plan_purchase(configuration)
    replicas = plan_replicas(configuration)
    schedule = plan_schedule(configuration, problems)
    check_delays(configuration, problems)
    check_weight(configuration, settings, problems)
    loaded = loaded_model(container)
    health_check, probes = plan_health_check(configuration, loaded), plan_probes(configuration)
    check_probes(configuration, health_check, probes, settings.boot_timeout, problems)
    model = plan_model(configuration, values=values, resolve=resolve, problems=problems)
    fitting = fit_model(
        configuration,
        found,
        model=model,
        container=container,
        values=values,
        weigh=weigh,
        preflight=settings.preflight,
        problems=problems,
    )
    reservation = plan_reservation(configuration, settings, fitting.offers, problems)
    found = reserved_offers(fitting.offers, reservation)
    if problems:
        raise PlanError(configuration.source, problems)
    alarms = alarm_plan(settings)
    plan = ServicePlan(
        run=name,
        gateway=configuration.gateway or None,
        auth=configuration.auth,
        model=model,
        upstream_api_key=None if configuration.model is None else configuration.model.upstream_api_key,
        weight=settings.weight,
        container=container,
        files=files,
        repository=repository,
        offers=found[:MOST_OFFERS],
        purchase=purchase,
        disk_gb=disk_gb,
        regions=configuration.regions,
        availability_zones=configuration.availability_zones,
        replicas=replicas,
        schedule=schedule,
        reservation=reservation,
        utilization=plan_utilization(configuration),
        draining=DRAINING if configuration.stop_duration is None else configuration.stop_duration,
        capacity_timeout=None if configuration.retry is None else configuration.retry.duration,
        strip_prefix=configuration.strip_prefix,
        roll=plan_roll(replicas, boot_timeout=settings.boot_timeout),
        health_check=health_check,
        hung_after=plan_hung_after(configuration),
        probes=probes,
        listening=how_to_listen(loaded),
        metrics=None if loaded.server is None else loaded.server.metrics,
        rate_limits=tuple(
            RateLimit(prefix=limit.prefix, rps=limit.rps, burst=limit.burst, header=limit.key.header)
            for limit in configuration.rate_limits
        ),
        tags=tuple(configuration.tags.items()),
        ami=settings.ami,
        boot_timeout=settings.boot_timeout,
        on_failure=settings.on_failure,
        wait=settings.wait,
        alarms=alarms,
        preflight=settings.preflight,
        notes=(
            *fitting.notes,
            *offer_notes(found),
            *purchase_notes(purchase, replicas),
            *backend_notes(configuration),
            *reservation_notes(reservation),
            *operation_notes(replicas, settings, schedule),
            *schedule_notes(schedule, configuration),
            *retry_notes(configuration),
            *utilization_notes(configuration, replicas),
            *path_notes(configuration, name),
            *base_image_notes(configuration, container.image),
            *laying_notes(files, repository),
            *isolation_notes(container),
            *ecr_notes(container),
            *shared_memory_notes(container, found),
            *server_notes(configuration, loaded, container, found, uneven=fitting.uneven),
            *probe_notes(health_check, probes),
            *weight_notes(model, settings.weight),
        ),
    )
    at_rest = plan.resting * replica_hour(plan.offers[0]) * HOURS
    plan = replace(plan, notes=(*plan.notes, *alarm_notes(alarms, at_rest)))
    _check_user_data(configuration, plan)
    return plan


def service_record(
    plan: ServicePlan, *, url: str | None = None, host: str | None = None, gateway_auth: bool = True
) -> record.Service:
    """Return the routing record of a planned service for the gateway's registry.

    Args:
        url: base URL of the service, which then does not run on the plan's offers; `None`: the gateway's own upstream,
            with `host`.
        host: the Host header to send upstream.
        gateway_auth: whether callers need a key if the configuration does not set `auth`.
    """
    model = plan.model
    if model is not None and plan.upstream_api_key is not None:
        model = msgspec.structs.replace(model, upstream_api_key=plan.upstream_api_key.reveal())
    return record.Service(
        run=plan.run,
        url=url,
        host=host,
        auth=gateway_auth if plan.auth is None else plan.auth,
        min_replicas=plan.replicas.minimum,
        strip_prefix=plan.strip_prefix,
        model=model,
        weight=plan.weight,
        rate_limits=[
            record.RateLimit(prefix=limit.prefix, header=limit.header, rps=limit.rps, burst=limit.burst)
            for limit in plan.rate_limits
        ],
        instance_types=[] if url else [offer.instance_type for offer in plan.offers],
        hourly_price=None if url else plan.offers[0].price,
        spot=url is None and _can_be_spot(plan),
    )


def _can_be_spot(plan: ServicePlan) -> bool:
    purchase = plan.purchase
    return purchase.on_demand_percentage_above_base == 0 and purchase.on_demand_base < plan.replicas.maximum


def _run_name(configuration: ServiceConfiguration, default: str, problems: list[Problem]) -> str:
    name = configuration.name or default
    wrong = run_name_rule(name)
    if wrong is not None:
        rule, remedy = wrong
        line = configuration.source.line(("name",)) if configuration.name else None
        where = "name" if configuration.name else "run name"
        problems.append(Problem(where=where, line=line, found=repr(name)[:80], rule=rule, remedy=remedy))
    return name


def _offers(
    configuration: ServiceConfiguration, catalog: Sequence[InstanceType], disk_gb: int, problems: list[Problem]
) -> tuple[Offer, ...]:
    requirement = requirement_of(configuration)
    offers = find_offers(catalog, requirement, disk_gb=disk_gb)
    if not offers:
        problems.append(no_offer(catalog, requirement, configuration.source))
    return offers


def _check_user_data(configuration: ServiceConfiguration, plan: ServicePlan) -> None:
    size = bytes_at_most(plan)
    if size <= LARGEST_USER_DATA:
        return
    values = [value for _, value in plan.container.environment if isinstance(value, str)]
    where = "commands" if sum(map(len, plan.container.arguments)) > sum(map(len, values)) else "env"
    problem = Problem(
        where=where,
        line=configuration.source.line((where,)),
        rule=f"the compressed boot script of a replica has {size} bytes, but EC2 allows {LARGEST_USER_DATA} bytes of "
        "user data",
        remedy="shorten commands and env, or move them into the image",
    )
    raise PlanError(configuration.source, [problem])
