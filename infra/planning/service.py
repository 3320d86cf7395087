"""From a service's configuration to its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from infra.planning.environment_notes import environment_notes
from infra.planning.groups import Group, asked_once, check_health, groups_of, joined, stack_config_problems
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
from infra.planning.weights import Weigh, remembered, unweighed


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
    settings = settings or ServiceSettings(configuration=configuration.source.name)
    given = _Given(
        run=run,
        environment=environment,
        resolve=asked_once(resolve),
        settings=settings,
        catalog=read_catalog() if catalog is None else catalog,
        weigh=remembered(weigh),
    )
    problems = list(stack_config_problems(configuration, settings))
    plans: list[ServicePlan] = []
    groups = groups_of(configuration, settings)
    for group in groups:
        try:
            plans.append(_plan_group(group, given))
        except PlanError as error:
            problems += map(group.placed, error.problems)
    problems += check_health(plans, groups[0].where)
    if problems:
        raise PlanError(configuration.source, dict.fromkeys(problems))
    plan = joined(plans)
    at_rest = sum(group.resting * replica_hour(group.offers[0]) * HOURS for group in plan.groups)
    return replace(plan, notes=(*plan.notes, *alarm_notes(plan.alarms, at_rest)))


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What all groups of a service share."""

    run: str
    environment: Mapping[str, str]
    resolve: ResolveChatTemplate
    settings: ServiceSettings
    catalog: Sequence[InstanceType]
    weigh: Weigh


def _plan_group(group: Group, given: _Given) -> ServicePlan:
    problems: list[Problem] = []
    configuration, settings = group.configuration, given.settings
    name = _run_name(configuration, given.run, problems)
    values = resolve_environment(configuration, given.environment, settings.secrets, problems)
    configuration = fill_references(configuration, values, settings.secrets, problems)
    check_base_image(configuration, settings, problems)
    container = plan_container(configuration, settings, run=name, values=values, problems=problems)
    files = lay_files(configuration, problems)
    repository = lay_repository(configuration, settings, problems)
    disk_gb = plan_disk(configuration, problems)
    found = _offers(configuration, given.catalog, disk_gb, problems)
    purchase = plan_purchase(configuration)
    replicas = plan_replicas(configuration)
    schedule = plan_schedule(configuration, problems)
    check_delays(configuration, problems)
    check_weight(configuration, settings, problems)
    loaded = loaded_model(container)
    health_check, probes = plan_health_check(configuration, loaded), plan_probes(configuration)
    check_probes(configuration, health_check, probes, settings.boot_timeout, problems)
    model = plan_model(
        configuration, generates=loaded.generates, values=values, resolve=given.resolve, problems=problems
    )
    fitting = fit_model(
        configuration,
        found,
        model=model,
        container=container,
        values=values,
        weigh=given.weigh,
        preflight=settings.preflight,
        problems=problems,
    )
    reservation = plan_reservation(configuration, settings, fitting.offers, problems, elsewhere=group.others_reserved)
    found = reserved_offers(fitting.offers, reservation)
    if problems:
        raise PlanError(configuration.source, problems)
    plan = ServicePlan(
        run=name,
        group=group.name,
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
        alarms=alarm_plan(settings),
        preflight=settings.preflight,
        notes=(
            *fitting.notes,
            *offer_notes(found),
            *purchase_notes(purchase, replicas),
            *backend_notes(configuration),
            *reservation_notes(reservation),
            *operation_notes(replicas, settings, schedule, backed=group.backed),
            *schedule_notes(schedule, configuration),
            *retry_notes(configuration),
            *utilization_notes(configuration, replicas),
            *path_notes(configuration, name),
            *base_image_notes(configuration, container.image),
            *laying_notes(files, repository),
            *environment_notes(container),
            *isolation_notes(container),
            *ecr_notes(container),
            *shared_memory_notes(container, found),
            *server_notes(configuration, loaded, container, found, uneven=fitting.uneven),
            *probe_notes(health_check, probes),
            *weight_notes(model, settings.weight),
        ),
    )
    _check_user_data(configuration, plan)
    return plan


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
