"""From a configuration to what deploying it would do: plan it, then run the real program in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pulumi

from commands.in_process import Program, Run, run
from commands.plan.assumptions import Assumptions
from commands.plan.hub_answers import Templates, Unresolved, Weighed
from infra.configuration import (
    ConfigurationError,
    GatewayConfiguration,
    GatewaySettings,
    Problem,
    Secret,
    ServiceConfiguration,
    ServiceSettings,
    apply_settings,
    check_run_name,
    load,
    read_settings,
)
from infra.packaging import FunctionPackage
from infra.planning import (
    GatewayPlan,
    ResolveChatTemplate,
    ServicePlan,
    Weigh,
    generated_run_name,
    plan_gateway,
    plan_service,
)
from infra.program import Means, deploy
from infra.stack import DEFAULT_GATEWAY

Settings = Mapping[str, str | Secret]
Configuration = ServiceConfiguration | GatewayConfiguration


class CannotPlan(Exception):
    """The program failed, so there is no plan. `str()` is the message for the user."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What deploying a configuration would do."""

    configuration: str
    stack: str
    plan: ServicePlan | GatewayPlan
    run: Run
    """What the program that `pulumi up` runs did."""
    assumed: tuple[str, ...]
    """What the program was told, when only an account knows it: a sentence each."""
    unresolved: tuple[Unresolved, ...]
    notes: tuple[str, ...] = ()
    """What differs from `pulumi up`, a sentence each."""


def plan_configuration(
    path: str,
    settings: Settings,
    *,
    stack: str | None,
    name: str | None = None,
    environment: Mapping[str, str],
    resolve: ResolveChatTemplate,
    weigh: Weigh,
    stage: Callable[[str], None],
) -> Planned:
    """Plan a configuration and run the program for it.

    Args:
        path: the path of the configuration.
        settings: stack config, without `configuration`.
        stack: the name of the stack; `None`: `gateway`, and the run name for a service.
        name: the run name, which overrides the name in the configuration; `None`: no override.
        environment: the environment of the caller, for variables that are named without a value.
        resolve: finds the chat template of a model that has none. What it cannot reach stays unresolved.
        weigh: finds how large a model is, and its architecture.
        stage: takes a description of the next step.

    Raises:
        ConfigurationError: with every problem.
        CannotPlan: the program failed.
    """
    stage(f"Reading {path}")
    templates = Templates(resolve, stage)
    weighed = Weighed(weigh, templates, stage)
    read = partial(_named, name=name)
    plan, stack = _plan(path, read, settings, stack, environment, templates, weighed)
    stage("Running the program that pulumi up runs")
    assumptions = Assumptions(plan)
    means = Means(environment=environment, resolve=templates, load=read, weigh=weighed, package=_no_package)
    done = run(
        _program(means),
        assumptions,
        stack=stack,
        config={
            "configuration": path,
            **{word: value.reveal() if isinstance(value, Secret) else value for word, value in settings.items()},
            "preflight": False,
        },
        secret_keys={word for word, value in settings.items() if isinstance(value, Secret)},
        preview=True,
    )
    if done.errors:
        raise CannotPlan("\n\n".join(dict.fromkeys(error.removeprefix("RunError: ") for error in done.errors)))
    return Planned(
        configuration=path,
        stack=stack,
        plan=plan,
        run=done,
        assumed=assumptions.said,
        unresolved=templates.unresolved,
        notes=tuple(_named_otherwise(path, name, stack)),
    )


def settings_of(path: str, paths: Sequence[str], settings: Settings) -> Settings:
    """Return the settings for one of several configurations. A word of the other type of stack is left out if one of
    the other configurations takes it."""
    taken = _words(path)
    others = set[str]().union(*(_words(other) for other in paths if other != path))
    return {word: value for word, value in settings.items() if word in taken or word not in others}


def _words(path: str) -> Set[str]:
    """The words of stack config that a configuration takes; all of them if it cannot be read."""
    service, gateway = ServiceSettings.model_fields.keys(), GatewaySettings.model_fields.keys()
    try:
        return gateway if isinstance(load(path), GatewayConfiguration) else service
    except ConfigurationError:
        return service | gateway


def _named(path: str, *, name: str | None) -> Configuration:
    configuration = load(path)
    if name is None:
        return configuration
    if isinstance(configuration, GatewayConfiguration):
        rule = f"a run name is the name of a service, and {path} is the configuration of a gateway"
        remedy = "remove --name; --stack is the name of the stack"
        raise ConfigurationError("command line", [Problem(where="--name", found=name, rule=rule, remedy=remedy)])
    return configuration.changed({"name": check_run_name(name, "--name")})


def _named_otherwise(path: str, name: str | None, stack: str) -> Iterator[str]:
    """What `pulumi up` uses as the run name when it is not `name`."""
    if name is None:
        return
    written = load(path).name
    used = written or stack
    if used != name:
        why = f"from {path}" if written else f"the name of its stack, because {path} has no `name`"
        yield f"pulumi up uses the run name {used}, {why}. To deploy as {name}, set `name: {name}` in that file."


def _plan(
    path: str,
    read: Callable[[str], Configuration],
    settings: Settings,
    stack: str | None,
    environment: Mapping[str, str],
    resolve: ResolveChatTemplate,
    weigh: Weigh,
) -> tuple[ServicePlan | GatewayPlan, str]:
    """The plan, as the program makes it, and the name of the stack."""
    configuration = read(path)
    values = {"configuration": path, **settings}
    if isinstance(configuration, GatewayConfiguration):
        given = read_settings(values, "gateway", "command line")
        name = stack or DEFAULT_GATEWAY
        return plan_gateway(apply_settings(configuration, given, "command line"), name=name, settings=given), name
    given = read_settings(values, "service", "command line")
    configuration = apply_settings(configuration, given, "command line")
    name = stack or configuration.name or generated_run_name(Path(path))
    plan = plan_service(configuration, run=name, environment=environment, resolve=resolve, settings=given, weigh=weigh)
    return plan, name


def _program(means: Means) -> Program:
    async def program() -> None:
        for name, value in (await deploy(means)).items():
            pulumi.export(name, value)

    return program


def _no_package() -> FunctionPackage:
    """Stand in for the function's zip: making it needs the network, and its bytes change nothing here."""
    return FunctionPackage(Path("gateway.zip"), sha256="", size=0, handler="run.sh")
