"""Deploys stacks into what `AWS_ENDPOINT_URL` names: the program in this process, with HashiCorp's AWS provider.

deployment = Deployment(folder, {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", …})
outputs = deployment.up("gateway", {"configuration": "examples/gateway.dstack.yml"}, on_event=print)
deployment.destroy("gateway")
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pulumi

from cloud.deployment.aws import Turn
from cloud.deployment.endpoint import refuse_other_clouds, without_an_account
from cloud.deployment.packages import Packages
from cloud.deployment.state import State
from cloud.deployment.steps import Steps
from cloud.deployment.terraform import finding
from cloud.deployment.terraform.client import ONLINE, provider
from commands.in_process import Program, run
from commands.program_monitor import STACK_REFERENCE, Call, Refused, Registration
from commands.property_values import Properties, SecretValue, UnknownValue, holds, without_secrets_marked
from infra.program import Means, deploy

AT_ONCE = 8
"""Resources that are made at the same time."""

Say = Callable[[str], None]


def _program() -> None:
    pulumi.run(lambda: deploy(Means()))


class DeploymentFailed(Exception):
    """A deployment failed, or a part of it. `errors`: everything that went wrong."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Deployment:
    """The stacks of a folder. `environment`: of the program and the provider, with AWS_ENDPOINT_URL. `program`: what
    is deployed."""

    def __init__(self, folder: Path, environment: Mapping[str, str], program: Program = _program) -> None:
        self._folder = folder
        self._program = program
        self._environment = without_an_account(environment)

    def up(
        self,
        stack: str,
        config: Mapping[str, object],
        secrets: Mapping[str, object] | None = None,
        on_event: Say = lambda _: None,
    ) -> Mapping[str, Any]:
        """Deploy what the program says, and return the outputs. Secrets are plain values in them.

        `config` and `secrets`: stack config by key.

        Raises:
            DeploymentFailed: some of it was refused. What exists is in the stack's file, and the next `up` goes on.
        """
        hidden = dict(secrets or {})
        with self._held(stack) as state, self._steps(state, on_event, config) as (steps, packages):
            done = run(
                self._program,
                _Answers(steps, packages, self),
                stack=stack,
                config={**config, **hidden},
                secret_keys=frozenset(hidden),
                at_once=AT_ONCE,
                hear=on_event,
            )
            errors = done.errors or tuple(steps.finish())
            if done.exports or not done.errors:
                state.export({name: value for name, value in done.exports.items() if not holds(value, UnknownValue)})
        if errors:
            raise DeploymentFailed(tuple(dict.fromkeys(errors)))
        return _open(done.exports)

    def destroy(self, stack: str, on_event: Say = lambda _: None) -> None:
        """Delete all resources of the stack.

        Raises:
            DeploymentFailed: something is protected, and nothing was deleted; or AWS refuses to delete something.
        """
        with self._held(stack) as state:
            if state.resources:
                with self._steps(state, on_event, {}) as (steps, _):
                    errors = steps.destroy()
                if errors:
                    raise DeploymentFailed(tuple(errors))
            state.export({})

    def outputs(self, stack: str) -> Mapping[str, Any]:
        """Return the stack's outputs, with secrets as plain values. Raises `LookupError` if there is no such stack."""
        return _open(self.marked_outputs(stack))

    def marked_outputs(self, stack: str) -> Properties:
        """Return the stack's outputs, with secrets marked."""
        file = self._file(stack)
        if not file.exists():
            raise LookupError(f"unknown stack {stack!r}: nothing was deployed under this name")
        return State(file).outputs

    def _file(self, stack: str) -> Path:
        return self._folder / f"{stack}.json"

    @contextlib.contextmanager
    def _held(self, stack: str) -> Generator[State]:
        """Yield the stack's state, for one command at a time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._file(stack).with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeploymentFailed((f"{stack}: another command changes this stack; wait until it ends",)) from None
            yield State(self._file(stack))

    @contextlib.contextmanager
    def _steps(self, state: State, say: Say, config: Mapping[str, object]) -> Generator[tuple[Steps, Packages]]:
        binary = finding.binary()
        if binary is None:
            raise DeploymentFailed((str(finding.problem()),))
        try:
            refuse_other_clouds(self._environment)
        except Refused as refused:
            raise DeploymentFailed((str(refused),)) from None
        with _environment(self._environment), provider(binary, self._of_aws(), ONLINE) as terraform:
            region = config.get("aws:region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            packages = Packages(Turn(terraform), say, None if region is None else str(region))
            yield Steps(state, packages, say), packages

    def _of_aws(self) -> Mapping[str, str]:
        return {name: value for name, value in self._environment.items() if name.startswith(("AWS_", "TF_"))}


class _Answers:
    """A deployment as the answers that a run in this process needs."""

    def __init__(self, steps: Steps, packages: Packages, deployment: Deployment) -> None:
        self._steps = steps
        self._packages = packages
        self._deployment = deployment

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        return self._steps.register(registration)

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        if type != STACK_REFERENCE:
            raise Refused(f"nothing here reads a {type}")
        try:
            outputs = self._deployment.marked_outputs(id.rpartition("/")[2])
        except LookupError as unknown:
            raise Refused(str(unknown)) from unknown
        secret = [key for key, value in outputs.items() if holds(value, SecretValue)]
        return {"name": id, "outputs": outputs, "secretOutputNames": list(secret)}

    def call(self, call: Call) -> Properties:
        if not call.token.startswith("aws:"):
            raise Refused(f"nothing here answers {call.token}")
        aws = self._packages.aws(self._steps.settings(call.provider))
        return aws.call(call.token, _open(call.arguments))


def _open(properties: Properties) -> dict[str, Any]:
    return {name: without_secrets_marked(value) for name, value in properties.items()}


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Generator[None]:
    """Return the environment of this process with the given variables, and with no others of AWS. The program's clients
    read it."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("AWS_") and name not in wanted]:
        del os.environ[name]
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
