"""From the command line's configurations to planned runs, each with a name of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.configuration import (
    ConfigurationError,
    Problem,
    Secret,
    ServiceConfiguration,
    ServiceSettings,
    apply_settings,
    check_run_name,
    load,
    read_settings,
)
from infra.configuration.options import with_values
from infra.planning.chat_template import ResolveChatTemplate
from infra.planning.plan import ServicePlan
from infra.planning.run_names import generated_run_name
from infra.planning.service import plan_service
from local.arguments import Arguments

PLACE = "command line"
"""The name in reports for problems that are not in a file."""


class CannotServe(Exception):
    """The problems of all configurations, a report for each. `str()` is the message for the user."""

    def __init__(self, reports: Sequence[Exception]) -> None:
        super().__init__(*reports)
        self.reports = tuple(reports)

    def __str__(self) -> str:
        return "\n\n".join(str(report) for report in self.reports)


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One configuration and its plan."""

    configuration: str
    """Path, as the user wrote it."""
    plan: ServicePlan


def plan_runs(
    arguments: Arguments, *, environment: Mapping[str, str], resolve: ResolveChatTemplate
) -> tuple[PlannedRun, ...]:
    """Load, name and plan every configuration, with the command line's settings applied.

    Args:
        arguments: the command line.
        environment: the caller's own, for variables that are named without a value.
        resolve: finds the chat template of a model that has none.

    Raises:
        CannotServe: with every problem of every configuration.
    """
    reports: list[Exception] = []
    loaded: list[tuple[str, ServiceConfiguration]] = []
    for path in arguments.configurations:
        try:
            loaded.append((path, _load(path, arguments, environment)))
        except ConfigurationError as error:
            if str(error) not in map(str, reports):
                reports.append(error)
    names = _names(loaded, reports)
    runs: list[PlannedRun] = []
    for (path, configuration), name in zip(loaded, names, strict=True):
        try:
            plan = plan_service(
                configuration,
                run=name,
                environment=environment,
                resolve=resolve,
                settings=_settings(path, arguments, environment, has_model=configuration.model is not None),
            )
        except ConfigurationError as error:
            reports.append(error)
        else:
            runs.append(PlannedRun(configuration=path, plan=plan))
    reports += _model_names_twice(runs)
    if reports:
        raise CannotServe(reports)
    return tuple(runs)


def _load(path: str, arguments: Arguments, environment: Mapping[str, str]) -> ServiceConfiguration:
    configuration = load(path)
    if not isinstance(configuration, ServiceConfiguration):
        raise ConfigurationError(
            path,
            [
                Problem(
                    where="type",
                    line=configuration.source.line(("type",)),
                    found=configuration.type,
                    rule="make local always has a gateway, so it needs no configuration of one",
                    remedy="give only `type: service` configurations; this one is for the gateway on AWS",
                )
            ],
        )
    configuration = apply_settings(configuration, _settings(path, arguments, environment), PLACE)
    if arguments.name is None:
        return configuration
    return configuration.changed({"name": check_run_name(arguments.name, "--name")})


def _settings(
    path: str, arguments: Arguments, environment: Mapping[str, str], *, has_model: bool = True
) -> ServiceSettings:
    given: dict[str, object] = {flag.replace("-", "_"): text for flag, text in arguments.settings}
    if arguments.env:
        given["env"] = list(arguments.env)
    if arguments.secrets:
        given["secrets"] = Secret(json.dumps(with_values(arguments.secrets, environment)))
    if not has_model:
        given.pop("weight", None)  # it is for the others of the command line
    return read_settings({"configuration": path, **given}, "service", PLACE)


def _model_names_twice(runs: Sequence[PlannedRun]) -> list[ConfigurationError]:
    by_model: dict[str, list[PlannedRun]] = {}
    for run in runs:
        if run.plan.model is not None and run.plan.weight is None:
            by_model.setdefault(run.plan.model.name, []).append(run)
    remedy = "give one of them another `model.name`, or let them share its requests: --weight 1"
    return [
        _twice(name, "model.name", f"{' and '.join(run.configuration for run in found)} have it", remedy)
        for name, found in by_model.items()
        if len(found) > 1
    ]


def _names(loaded: Sequence[tuple[str, ServiceConfiguration]], reports: list[Exception]) -> list[str]:
    """A run name for each configuration; names and files that come twice are added to `reports`."""
    taken = {configuration.name for _, configuration in loaded if configuration.name is not None}
    names: list[str] = []
    for path, configuration in loaded:
        name = configuration.name or generated_run_name(Path(path), taken=taken)
        names.append(name)
        taken.add(name)
    files = [str(Path(path).resolve()) for path, _ in loaded]
    for file, count in Counter(files).items():
        if count > 1:
            reports.append(_twice(file, "the file", "a configuration is one run", "name it once"))
    for name, count in Counter(names).items():
        paths = [path for (path, _), other in zip(loaded, names, strict=True) if other == name]
        if count > 1 and len({str(Path(path).resolve()) for path in paths}) > 1:
            rule = f"{' and '.join(paths)} have the same run name"
            reports.append(_twice(name, "name", rule, "give one of them another `name`"))
    return names


def _twice(found: str, where: str, rule: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(PLACE, [Problem(where=where, found=found, rule=rule, remedy=remedy)])
