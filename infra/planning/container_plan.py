"""What runs on a replica: the container, and what docker needs to start it."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.configuration import Secret


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A path of the instance that is mounted into the container."""

    instance_path: str
    path: str


@dataclass(frozen=True, kw_only=True)
class RegistryLogin:
    """The login for the image registry."""

    username: str
    password: Secret


@dataclass(frozen=True, kw_only=True)
class Container:
    """The container of a replica. `docker run` gets it as: options, `--entrypoint`, image, arguments."""

    image: str
    entrypoint: str | None
    """The program that replaces the image's entrypoint; `None`: the image's own entrypoint and command run."""
    arguments: tuple[str, ...]
    """The arguments that follow the image on the command line."""
    environment: tuple[tuple[str, str | Secret], ...] = field(repr=False)
    """Variables with their values: dstack's own that the plan knows (`DSTACK_RUN_NAME`, …), then the configuration's
    variables."""
    port: int
    """The port that the container listens on."""
    shm_size_mb: int | None
    """Size of /dev/shm in MiB; `None`: docker's own 64."""
    working_dir: str | None
    user: str | None
    """`user` or `user:group`, names or numbers."""
    privileged: bool
    terminal: bool = False
    """Whether the process has a terminal, as dstack gives it to commands."""
    registry_login: RegistryLogin | None
    mounts: tuple[Mount, ...]
    hub_cache_paths: tuple[str, ...]
    """Paths of the machine's Hub cache in the container, so that each machine fetches weights only once."""
    gpu_count_variables: tuple[str, ...]
    """Variables that the machine sets to the number of its GPUs."""

    @property
    def command(self) -> tuple[str, ...]:
        """The whole argument vector of the process; empty: the image's own."""
        return () if self.entrypoint is None else (self.entrypoint, *self.arguments)
