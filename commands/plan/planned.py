"""From a configuration to what deploying it would do: plan it, then run the real program in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from commands.in_process import Program, Run, run
from commands.plan.assumptions import Assumptions
from infra.configuration import GatewayConfiguration, Secret, apply_settings, load, read_settings
from infra.packaging import FunctionPackage
from infra.planning import (
    ChatTemplate,
    GatewayPlan,
    HubOutOfReachError,
    ModelRepository,
    ResolveChatTemplate,
    ServicePlan,
    Weigh,
    Weights,
    generated_run_name,
    plan_gateway,
    plan_service,
    unresolved,
)
from infra.program import Means, deploy
from infra.stack import DEFAULT_GATEWAY

Settings = Mapping[str, str | Secret]


class CannotPlan(Exception):
    """Why there is no plan; `str()` is what a user reads."""


@dataclass(frozen=True, kw_only=True)
class Unresolved:
    """A model whose chat template was to be found, and could not be looked for."""

    repo: str
    why: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What deploying a configuration would do."""

    configuration: str
    stack: str
    plan: ServicePlan | GatewayPlan
    run: Run
    """Of the program that `pulumi up` runs."""
    assumed: tuple[str, ...]
    """What the program was told where only an account knows, a sentence each."""
    unresolved: tuple[Unresolved, ...]


def plan_configuration(
    path: str,
    settings: Settings,
    *,
    stack: str | None,
    environment: Mapping[str, str],
    resolve: ResolveChatTemplate,
    weigh: Weigh,
    stage: Callable[[str], None],
) -> Planned:
    """Plans a configuration and runs the program for it.

    Args:
        path: the configuration's.
        settings: stack config, `configuration` left out.
        stack: the stack's name; `None`: `gateway`, and for a service its run's name.
        environment: the caller's own, for variables that are named without a value.
        resolve: finds the chat template of a model that has none. What it cannot reach is left unresolved.
        weigh: finds how large a model is where `gpu` is left out.
        stage: is told what is being done.

    Raises:
        ConfigurationError: with every problem.
        CannotPlan: the program failed.
    """
    stage(f"reading {path}")
    templates = _Templates(resolve, stage)
    weighed = _Weighed(weigh, templates, stage)
    plan, stack = _plan(path, settings, stack, environment, templates, weighed)
    stage("running the program that pulumi up runs")
    assumptions = Assumptions(plan)
    means = Means(environment=environment, resolve=templates, weigh=weighed, package=_no_package)
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
    )


class _Templates:
    """Chat templates, each looked for once: the program asks for what the plan has asked for."""

    def __init__(self, resolve: ResolveChatTemplate, stage: Callable[[str], None]) -> None:
        self._resolve = resolve
        self._stage = stage
        self._found: dict[tuple[str, str | None], ChatTemplate] = {}
        self._unresolved: list[Unresolved] = []

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        return tuple(self._unresolved)

    def __call__(self, wanted: ModelRepository) -> ChatTemplate:
        key = (wanted.repo, wanted.revision)
        if key not in self._found:
            self._stage(f"asking the Hub for the chat template of {wanted.repo}")
            self._found[key] = self._look(wanted)
        return self._found[key]

    def _look(self, wanted: ModelRepository) -> ChatTemplate:
        try:
            return self._resolve(wanted)
        except HubOutOfReachError as error:
            self._unresolved.append(Unresolved(repo=wanted.repo, why=error.rule, remedy=error.remedy))
            return unresolved(wanted)


class _Weighed:
    """Weights of models, each weighed once. A Hub that did not answer for a template is not asked for weights."""

    def __init__(self, weigh: Weigh, templates: _Templates, stage: Callable[[str], None]) -> None:
        self._weigh = weigh
        self._templates = templates
        self._stage = stage
        self._found: dict[tuple[str, str | None], Weights | None] = {}

    def __call__(self, wanted: ModelRepository) -> Weights | None:
        key = (wanted.repo, wanted.revision)
        if key not in self._found:
            if self._templates.unresolved:
                return None
            self._stage(f"asking the Hub how large {wanted.repo} is")
            self._found[key] = self._weigh(wanted)
        return self._found[key]


def _plan(
    path: str,
    settings: Settings,
    stack: str | None,
    environment: Mapping[str, str],
    resolve: ResolveChatTemplate,
    weigh: Weigh,
) -> tuple[ServicePlan | GatewayPlan, str]:
    """The plan, as the program makes it, and the stack's name."""
    configuration = load(path)
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
    """Stands for the function's zip, whose making needs the network and whose bytes change nothing here."""
    return FunctionPackage(Path("gateway.zip"), sha256="", size=0, handler="run.sh")
