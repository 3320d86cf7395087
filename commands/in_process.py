"""Runs a Pulumi program in this process: no CLI, no engine, no account, no network.

The program talks to `program_monitor` instead of the engine. An `Answers` says what each resource and each function
returns; `make plan` and the tests have different ones. `run` returns what the program registered, as plain data, after
every registration has been answered and every `apply` has run.

The runtime of pulumi 3.272 keeps its settings in context variables, so a run has a thread and a context to itself,
and a run does not see an earlier one. By default, registrations are answered one at a time, in the order in which the
program makes them.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import threading
import traceback
import warnings
from collections.abc import Awaitable, Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pulumi.runtime import set_all_config
from pulumi.runtime.settings import Settings, configure
from pulumi.runtime.stack import run_in_stack

from commands.program_monitor import STACK_TYPE, Answers, Call, ProgramMonitor, Registration, SilentEngine
from commands.property_values import Properties
from infra.configuration.names import PROJECT

Program: TypeAlias = Callable[[], Awaitable[None] | None]
StackConfig: TypeAlias = Mapping[str, object]
"""Stack config by key; a key without `:` belongs to this project. Other values than text become JSON."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program did."""

    registrations: tuple[Registration, ...]
    """Resources and components, in the order in which they were asked for."""
    calls: tuple[Call, ...]
    exports: Properties
    """The stack's outputs."""
    component_outputs: Mapping[str, Properties]
    """By URN: what each component gave to `register_outputs`."""
    refusals: tuple[tuple[str, str], ...]
    """(URN, why) of every resource that was refused."""
    errors: tuple[str, ...]
    """Everything that went wrong, refusals among them; empty when the run would have ended well."""
    messages: tuple[tuple[str, str], ...] = field(repr=False)
    """(severity, message) of what the program logged."""
    traceback: str = field(repr=False)
    """Of what the program raised; empty when it raised nothing."""


def run(
    program: Program,
    answers: Answers,
    *,
    stack: str,
    config: StackConfig,
    secret_keys: Set[str] = frozenset(),
    project: str = PROJECT,
    organization: str = "organization",
    preview: bool = False,
    at_once: int = 1,
    hear: Callable[[str], None] | None = None,
) -> Run:
    """Run `program` to its end, and return what it did. An exception of the program is in the result, and is not
        raised.

        `secret_keys`: the keys of `config` that are secret, spelled as in `config`. `preview`: outputs that only a
    deployment can know are unknown, so an `apply` that waits for them does not run. `at_once`: how many registrations
    are answered at the same time, if the answers take long and their order does not matter. `hear`: gets each message
    that the program logs.
    """
    monitor = ProgramMonitor(answers, project, stack)
    engine = SilentEngine(hear)
    raised: list[tuple[str, str]] = []

    def in_context() -> None:
        configure(
            Settings(
                project=project,
                stack=stack,
                monitor=monitor,
                engine=engine,
                dry_run=preview,
                organization=organization,
                root_directory=str(Path.cwd()),
            )
        )
        set_all_config(
            {_full(key, project): _text(value) for key, value in config.items()},
            [_full(key, project) for key in secret_keys],
        )
        try:
            _to_its_end(program, at_once)
        except BaseException as failure:
            raised.append((f"{type(failure).__name__}: {failure}", "".join(traceback.format_exception(failure))))

    _alone(in_context, name=f"pulumi program {stack}")
    errors = [f"{urn}: {why}" for urn, why in monitor.refusals]
    errors += [said for said, _ in raised]
    errors += [message for severity, message in engine.messages if severity == "error"]
    root = f"urn:pulumi:{stack}::{project}::{STACK_TYPE}::{project}-{stack}"
    outputs = dict(monitor.outputs)
    return Run(
        registrations=tuple(monitor.registrations),
        calls=tuple(monitor.calls),
        exports=outputs.pop(root, {}),
        component_outputs=outputs,
        refusals=tuple(monitor.refusals),
        errors=tuple(errors),
        messages=tuple(engine.messages),
        traceback="".join(lines for _, lines in raised),
    )


def _to_its_end(program: Program, threads: int) -> None:
    """Await the program. One thread answers the registrations, which keeps their order. Tasks that are left are
    cancelled."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=threads)
    loop.set_default_executor(executor)
    # Every task of the program is awaited, so its exception is raised here. asyncio would report it a second time.
    loop.set_exception_handler(lambda _, __: None)
    try:
        loop.run_until_complete(run_in_stack(program))
    finally:
        loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
        executor.shutdown(wait=True)
        asyncio.set_event_loop(None)
        loop.close()


def _alone(run_it: Callable[[], None], name: str) -> None:
    """Run it to its end, in its own thread and context.

    A program that fails leaves coroutines of the SDK's outputs, and Python would warn about them. Only objects that
    were made during the run are searched for them, because a search of all objects takes much of a second.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"coroutine 'Output\..*' was never awaited", category=RuntimeWarning)
        thread = threading.Thread(target=contextvars.Context().run, args=(run_it,), name=name)
        gc.freeze()
        thread.start()
        thread.join()
        gc.collect()
        gc.unfreeze()


async def _cancelled(tasks: Set[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
