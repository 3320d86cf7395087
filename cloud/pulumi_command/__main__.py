"""`pulumi …` of a machine that has no Pulumi. See the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from cloud.deployment.state import State
from cloud.pulumi_command.arguments import read_arguments
from cloud.pulumi_command.exported import HIDDEN, exported, outputs
from cloud.pulumi_command.progress import Progress
from cloud.pulumi_command.stack_settings import StackProblem, StackSettings
from infra.configuration.names import PROJECT

if TYPE_CHECKING:
    from cloud.deployment.deployment import Deployment

BACKEND = "PULUMI_BACKEND_URL"


def main(line: list[str]) -> int:
    """Return 0 if all was done, 1 if something was refused, 2 for a wrong command line."""
    given = read_arguments(line)
    try:
        folder = _folder()
        _Command(given, StackSettings(folder), folder / "state").run()
    except StackProblem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _end(130)
    return 0


class _Command:
    def __init__(self, given: argparse.Namespace, stacks: StackSettings, states: Path) -> None:
        self._given = given
        self._stacks = stacks
        self._states = states

    def run(self) -> None:
        name = "_".join(word for word in (self._given.command, getattr(self._given, "action", None)) if word)
        commands: Mapping[str, Callable[[], None]] = {
            "version": lambda: print("a stand-in for Pulumi, of make cloud"),
            "login": lambda: print("The state is in the folder of make cloud."),
            "up": self._up,
            "destroy": self._destroy,
            "config": self._config,
            "config_set": self._config_set,
            "config_get": self._config_get,
            "config_rm": self._config_rm,
            "stack_init": lambda: self._stacks.init(self._named()),
            "stack_select": lambda: self._stacks.select(self._named()),
            "stack_rm": self._stack_rm,
            "stack_ls": self._stack_ls,
            "stack_export": self._stack_export,
            "stack_output": self._stack_output,
        }
        commands[name]()

    def _up(self) -> None:
        stack = self._chosen()
        values, secret = self._stacks.values(stack), self._stacks.secret_keys(stack)
        with Progress(f"Updating ({stack})") as progress, self._deployment() as deployment:
            found = deployment.up(
                stack,
                {key: value for key, value in values.items() if key not in secret},
                {key: value for key, value in values.items() if key in secret},
                on_event=progress,
            )
        shown = outputs(self._state(stack), show_secrets=False)
        print("Outputs:")
        for name in sorted(found):
            print(f"    {name}: {_text(shown[name])}")
        progress.summarize()

    def _destroy(self) -> None:
        stack = self._chosen()
        with Progress(f"Destroying ({stack})") as progress, self._deployment() as deployment:
            deployment.destroy(stack, on_event=progress)
        progress.summarize()

    def _config(self) -> None:
        stack = self._chosen()
        secret = self._stacks.secret_keys(stack)
        entries = {
            f"{PROJECT}:{key}" if ":" not in key else key: _entry(
                value, secret=key in secret, show=self._given.show_secrets
            )
            for key, value in self._stacks.values(stack).items()
        }
        if self._given.json:
            print(json.dumps(entries))
            return
        for key, entry in entries.items():
            print(f"{key}  {entry.get('value', HIDDEN)}")

    def _config_set(self) -> None:
        given = self._given
        value = given.value if given.value is not None else sys.stdin.read().rstrip("\n")
        self._stacks.set(self._chosen(), _own(given.key), value, path=given.path, secret=given.secret)

    def _config_get(self) -> None:
        values: Any = self._stacks.values(self._chosen())
        key = _own(self._given.key)
        for name in key.split(".") if self._given.path else (key,):
            if not isinstance(values, Mapping) or name not in values:
                raise StackProblem(f"configuration key {key!r} not found for stack {self._chosen()!r}")
            values = values[name]  # pyright: ignore[reportUnknownVariableType]
        print(_text(values))

    def _config_rm(self) -> None:
        self._stacks.unset(self._chosen(), _own(self._given.key), path=self._given.path)

    def _stack_rm(self) -> None:
        stack = self._named()
        self._stacks.chosen(stack)
        if self._state(stack).resources:
            raise StackProblem(f"stack {stack!r} still has resources: run `pulumi destroy --stack {stack}` first")
        self._stacks.remove(stack)

    def _stack_ls(self) -> None:
        names = self._stacks.names
        if self._given.json:
            print(json.dumps([{"name": name, "current": name == self._stacks.selected} for name in names]))
            return
        for name in names:
            print(f"{name}{'*' if name == self._stacks.selected else ''}")

    def _stack_export(self) -> None:
        stack = self._chosen()
        print(json.dumps(exported(stack, self._state(stack), show_secrets=self._given.show_secrets)))

    def _stack_output(self) -> None:
        stack, name = self._chosen(), self._given.name
        found = outputs(self._state(stack), show_secrets=self._given.show_secrets)
        if name is not None and name not in found:
            raise StackProblem(f"current stack does not have output property {name!r}")
        if name is not None:
            print(json.dumps(found[name]) if self._given.json else _text(found[name]))
        elif self._given.json:
            print(json.dumps(found, indent=2))
        else:
            for one, value in sorted(found.items()):
                print(f"{one}  {_text(value)}")

    @contextlib.contextmanager
    def _deployment(self) -> Generator[Deployment]:
        """The stacks, as long as the cloud lives; what they refuse is a `StackProblem`."""
        # Imported here: it takes seconds, and the other commands do without it.
        from cloud.deployment.deployment import Deployment, DeploymentFailed
        from cloud.deployment.ending import CloudEnded, end_with_the_cloud
        from commands.program_monitor import Refused

        with tempfile.TemporaryDirectory() as own:
            tempfile.tempdir = own

            def end(ended: CloudEnded) -> None:
                shutil.rmtree(own, ignore_errors=True)
                _end(1, f"error: {ended}")

            try:
                end_with_the_cloud(os.environ, end)
                yield Deployment(self._states, dict(os.environ))
            except (CloudEnded, DeploymentFailed, Refused) as failed:
                raise StackProblem(str(failed)) from failed
            finally:
                tempfile.tempdir = None

    def _state(self, stack: str) -> State:
        return State(self._states / f"{stack}.json")

    def _chosen(self) -> str:
        return self._stacks.chosen(self._given.stack)

    def _named(self) -> str:
        name: str | None = self._given.name or self._given.stack
        if name is None:
            raise StackProblem("name a stack")
        return name


def _end(status: int, why: str = "") -> NoReturn:
    """End now: threads can wait for an answer for minutes. What was made is in the state already."""
    if why:
        print(why, file=sys.__stderr__)
    for stream in (sys.stdout, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # pyright: ignore[reportOptionalMemberAccess]
    os._exit(status)


def _folder() -> Path:
    url = urlsplit(os.environ.get(BACKEND, ""))
    if url.scheme != "file":
        raise StackProblem(f"{BACKEND} names no folder: export the variables that make cloud prints")
    return Path(url.path)


def _own(key: str) -> str:
    """A key of this project has no prefix in the file."""
    return key.removeprefix(f"{PROJECT}:")


def _entry(value: Any, *, secret: bool, show: bool) -> Mapping[str, Any]:
    return {"secret": True} if secret and not show else {"value": _text(value), "secret": secret}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
