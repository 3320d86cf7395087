"""A service whose replicas are in groups: one plan for each group, and from them the plan of the service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infra.configuration import CountRange, Problem, ReplicaGroup, ServiceConfiguration, ServiceSettings
from infra.configuration.problem import KeyPath, spell
from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.plan import FIRST_GROUP, ServicePlan

_KEY = re.compile(r"[a-z_]+")
_ALWAYS_ITS_OWN = frozenset(("commands", "resources", "scaling"))
"""The keys that a service with groups cannot have."""


MOST_WATCHED = 9
"""Groups of a service with alarms: an alarm reads at most 10 metrics, and one is of the load balancer
(AmazonCloudWatch/latest/monitoring/alarm-limits.html)."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group, as a configuration whose replicas are all the same."""

    name: str
    configuration: ServiceConfiguration
    where: str = ""
    """Where the group is in the configuration: `replicas[0]`; empty: the service has no groups."""
    keys: frozenset[str] = frozenset()
    """The keys of the configuration that come from the group."""
    backed: bool = False
    """Whether another group always has a replica."""
    others_reserved: bool = False
    """Whether another group has a reservation."""

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of the group with the path at which the user wrote the value."""
        return replace(problem, where=", ".join(map(self._path, problem.where.split(", "))))

    def _path(self, path: str) -> str:
        key = _KEY.match(path)
        return f"{self.where}.{path}" if key is not None and key[0] in self.keys else path


def groups_of(configuration: ServiceConfiguration, settings: ServiceSettings) -> tuple[Group, ...]:
    """Return the groups of a service. Without groups, this is one, which has dstack's name for it."""
    groups = configuration.replica_groups
    if not groups:
        return (Group(name=FIRST_GROUP, configuration=configuration),)
    key = "replicas" if configuration.groups is None else "groups"
    return tuple(_group(configuration, index, (key, index), settings) for index in range(len(groups)))


def stack_config_problems(configuration: ServiceConfiguration, settings: ServiceSettings) -> Iterator[Problem]:
    """Yield words of stack config that have no meaning for groups, or for that many of them."""
    groups = configuration.replica_groups
    if not groups:
        return
    for path in configuration.source.elsewhere:
        if path.startswith("resources.") and not path.endswith("."):
            rule = "each group has resources of its own, so there is no value that it could replace"
            yield Problem(where=path, rule=rule, remedy="remove it, and write it under the resources of each group")
    if len(groups) > MOST_WATCHED and (settings.alarm_email or settings.alarm_topic):
        key = "replicas" if configuration.groups is None else "groups"
        rule = f"with alarms, a service has at most {MOST_WATCHED} groups: an alarm of CloudWatch reads 10 metrics"
        remedy = "deploy some groups as another service, or remove alarm_email and alarm_topic from stack config"
        line = configuration.source.line((key,))
        yield Problem(where=key, line=line, found=f"{len(groups)} groups", rule=rule, remedy=remedy)


def check_health(plans: Sequence[ServicePlan], where: str) -> Iterator[Problem]:
    """Yield a problem if groups need different health checks: one target group has the replicas of all groups."""
    checks = {(plan.health_check.path, plan.health_check.matcher): plan.group for plan in reversed(plans)}
    if len(checks) < 2:
        return
    found = ", ".join(f"GET {path} for group {name}" for (path, _), name in reversed(checks.items()))
    rule = "the load balancer checks all groups with the same request, and their servers have different paths for it"
    remedy = "write `probes:` with a path that all of them answer, or deploy each group as a service"
    yield Problem(where=where, found=found, rule=rule, remedy=remedy)


def joined(plans: Sequence[ServicePlan]) -> ServicePlan:
    """Return the plan of a service: that of its first group, with the others. Notes that all groups have come once."""
    first, *others = plans
    if not others:
        return first
    shared = [note for note in first.notes if all(note in plan.notes for plan in others)]
    own = [f"Group {plan.group}: {note}" for plan in plans for note in plan.notes if note not in shared]
    return replace(first, others=tuple(replace(plan, notes=()) for plan in others), notes=(*own, *shared))


def asked_once(resolve: ResolveChatTemplate) -> ResolveChatTemplate:
    """Return a function like `resolve` that finds the template of the same model only once for all groups."""
    found: dict[tuple[str, str | None], ChatTemplate] = {}

    def resolve_once(wanted: ModelRepository) -> ChatTemplate:
        key = (wanted.repo, wanted.revision)
        if key not in found:
            found[key] = resolve(wanted)
        return found[key]

    return resolve_once


def _group(configuration: ServiceConfiguration, index: int, place: KeyPath, settings: ServiceSettings) -> Group:
    groups, source, depth = configuration.replica_groups, configuration.source, len(place)
    group, others = groups[index], (*groups[:index], *groups[index + 1 :])
    lines = {path[depth:]: line for path, line in source.lines.items() if path[:depth] == place and path[depth:]}
    lines = {path: line for path, line in lines.items() if path[0] != "name"}
    return Group(
        name=group.name or str(index),
        configuration=_alone(configuration, group, settings).at(replace(source, lines={**source.lines, **lines})),
        where=spell(place),
        keys=_ALWAYS_ITS_OWN | {str(path[0]) for path in lines},
        backed=any(other.count.min for other in others),
        others_reserved=any(other.reservation for other in others),
    )


def _alone(configuration: ServiceConfiguration, group: ReplicaGroup, settings: ServiceSettings) -> ServiceConfiguration:
    """Return a service with only this group."""
    given = {
        "image": group.image,
        "python": group.python,
        "nvcc": group.nvcc,
        "docker": group.docker,
        "privileged": group.privileged,
        "spot_policy": settings.spot_policy or group.spot_policy,
        "reservation": group.reservation,
    }
    return configuration.changed(
        {
            **{key: value for key, value in given.items() if value is not None},
            "groups": None,
            "replicas": CountRange(min=group.count.min, max=group.count.max),
            "scaling": group.scaling,
            "resources": group.resources,
            "commands": group.commands,
        }
    )
