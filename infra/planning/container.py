"""The container of a service: what dstack would run, as data.

The rules are those of dstack's job configurators (`server/services/jobs/configurators/base.py`), runner and shim: one
shell runs the commands, joined by `&&`. An entrypoint gets the commands as its arguments instead. Without both, the
image's own entrypoint and command run. Without an image, dstack's own runs (`base_image.py`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from infra.configuration import Problem, Secret, ServiceConfiguration, ServiceSettings
from infra.configuration.problem import NOTHING
from infra.planning.base_image import image_of, start_commands
from infra.planning.container_plan import Container, Mount, RegistryLogin

SHELL = "/bin/sh"
"""dstack's shell for every image except its base image."""
BASE_SHELL = "/bin/bash"
"""dstack's shell in its own images."""
HUB_CACHE_PATHS = ("/data", "/root/.cache/huggingface")
"""The Hub's cache in TGI's image, and in other images with huggingface_hub."""
GPU_COUNT_VARIABLES = ("DSTACK_GPUS_NUM", "DSTACK_GPUS_PER_NODE")

LONGEST_ARGUMENT = 131_071
"""The most bytes of one argument of a process on Linux (MAX_ARG_STRLEN, without the NUL at its end)."""
OWN_ADDRESS = "127.0.0.1"
"""The address at which the container of the only node reaches itself. dstack's containers use the machine's network."""


def plan_container(
    configuration: ServiceConfiguration,
    settings: ServiceSettings,
    *,
    run: str,
    values: Mapping[str, str | Secret],
    problems: list[Problem],
) -> Container:
    """Return the container of one replica, with `values` as its environment. Problems are added to `problems`."""
    command = _command(configuration)
    _check_command(configuration, command, problems)
    environment = {**_set_by_dstack(configuration, run), **values}
    login = configuration.registry_auth
    mounts = _mounts(configuration, problems)
    return Container(
        image=image_of(configuration, settings),
        entrypoint=command[0] if command else None,
        arguments=tuple(command[1:]),
        environment=tuple(environment.items()),
        port=configuration.port,
        shm_size_mb=round(configuration.resources.shm_size * 1024) if configuration.resources.shm_size else None,
        working_dir=configuration.working_dir,
        user=configuration.user,
        privileged=configuration.privileged or configuration.docker,
        terminal=configuration.entrypoint is None and bool(configuration.commands),
        registry_login=None if login is None else RegistryLogin(username=login.username, password=login.password),
        mounts=mounts,
        hub_cache_paths=tuple(path for path in HUB_CACHE_PATHS if not _is_taken(path, configuration, mounts)),
        gpu_count_variables=tuple(name for name in GPU_COUNT_VARIABLES if name not in values),
    )


def join_commands(commands: Sequence[str]) -> str:
    """Return one shell command that runs each command after the previous one succeeded. A command that ends in `&` runs
    in the background."""
    stripped = [command.strip() for command in commands]
    return " && ".join(f"{{ {command} }}" if command.endswith("&") else command for command in stripped)


def _command(configuration: ServiceConfiguration) -> list[str]:
    """Return the argument vector of the process; empty: the image's own."""
    if configuration.entrypoint is not None:
        return [*configuration.entrypoint, *configuration.commands]
    if configuration.commands:
        commands = (*start_commands(configuration), *configuration.commands)
        return [_shell(configuration), "-i", "-c", join_commands(commands)]
    return []


def _shell(configuration: ServiceConfiguration) -> str:
    if configuration.shell is not None:
        return str(PurePosixPath("/bin") / configuration.shell)
    return SHELL if configuration.image is not None else BASE_SHELL


def _check_command(configuration: ServiceConfiguration, command: Sequence[str], problems: list[Problem]) -> None:
    def refuse(where: str, found: str, rule: str, remedy: str) -> None:
        line = configuration.source.line((where,))
        problems.append(Problem(where=where, line=line, found=found, rule=rule, remedy=remedy))

    if configuration.entrypoint is not None and not any(command[:1]):
        rule = "an empty entrypoint without commands leaves nothing to run"
        refuse("entrypoint", NOTHING, rule, "remove it, so that the image's own entrypoint runs, or name a program")
    longest = max((len(argument.encode()) for argument in command), default=0)
    if longest > LONGEST_ARGUMENT:
        where = "commands" if configuration.commands else "entrypoint"
        rule = f"Linux allows at most {LONGEST_ARGUMENT:,} bytes for one argument, and all commands are one argument"
        refuse(where, f"{longest:,} bytes", rule, "move them into a script in the image")


def _mounts(configuration: ServiceConfiguration, problems: list[Problem]) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    for index, volume in enumerate(configuration.volumes):
        path = "/" + volume.path.lstrip("/")  # `//data` is another path for POSIX, but not for docker
        if path in mounts:
            problems.append(
                Problem(
                    where=f"volumes[{index}].path",
                    line=configuration.source.line(("volumes", index)),
                    found=volume.path,
                    rule="a path of the container can be mounted only once",
                    remedy="remove one of the two volumes",
                )
            )
        mounts[path] = Mount(instance_path=volume.instance_path, path=path)
    return tuple(mounts.values())


def _is_taken(path: str, configuration: ServiceConfiguration, mounts: Sequence[Mount]) -> bool:
    """Whether the user mounts or lays something at that path, or at a folder that contains it."""
    laid = [one.path for one in (*configuration.files, *configuration.repos)]
    places = [*(mount.path for mount in mounts), *(posixpath.normpath(place) for place in laid)]
    return any(PurePosixPath(path).is_relative_to(place) for place in places)


def _set_by_dstack(configuration: ServiceConfiguration, run: str) -> dict[str, str]:
    """Return dstack's own variables that apply to a service on one machine and are known before it starts."""
    known = {"DSTACK_RUN_NAME": run, "DSTACK_NODE_RANK": "0", "DSTACK_NODES_NUM": "1"}
    known |= dict.fromkeys(("DSTACK_MASTER_NODE_IP", "DSTACK_NODES_IPS"), OWN_ADDRESS)
    if configuration.working_dir is not None:
        known["DSTACK_WORKING_DIR"] = configuration.working_dir
    return known
