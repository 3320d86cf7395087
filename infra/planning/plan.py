"""The plan: everything that will be deployed, as plain frozen data, decided before Pulumi creates anything.

A plan has no behaviour. Environment variables and tags are tuples of (name, value), in the order of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from gateway_lambda.registry.record import Model
from infra.configuration import ConfigurationError, Problem, Secret, Source
from infra.planning.alarm_plan import AlarmPlan
from infra.planning.checks import HealthCheck, ReplicaProbe
from infra.planning.local_files.archive import Archive
from infra.planning.local_files.laid import ClonedRepository, LaidFile
from infra.planning.running import Reservation, Roll, Schedule, Utilization
from infra.planning.servers import ServerMetrics

SpotPolicy = Literal["on-demand", "spot", "auto"]


class PlanError(ConfigurationError):
    """A configuration that is valid but cannot be deployed. `str()` is the report with all its problems."""

    def __init__(self, source: Source, problems: Iterable[Problem]) -> None:
        super().__init__(source.name, map(source.placed, problems))


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An EC2 instance type that satisfies the configuration, with its price."""

    instance_type: str
    gpu: str
    gpu_count: int
    gpu_memory_gb: float
    """Memory of one GPU, as the card is sold."""
    usable_gpu_memory_gb: float
    """Memory of one GPU that a model must fit into, in GiB."""
    vcpus: int
    memory_gb: float
    disk_gb: int
    """Size of the root volume, in GB."""
    nvme_gb: int
    """Size of all local NVMe disks together, in GB; 0: no such disk."""
    price: float
    """On-demand list price in US dollars an hour, in the catalog's region and on its date."""


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """How instances are bought: the numbers of an Auto Scaling group's instances distribution."""

    spot_policy: SpotPolicy
    on_demand_base: int
    """The number of first instances that are on demand; later ones can be spot."""
    on_demand_percentage_above_base: Literal[0, 100]
    spot_max_price: float | None
    """US dollars an hour; `None`: AWS's own limit, the on-demand price. Always `None` if nothing is spot."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """When replicas are added and removed between `Replicas.minimum` and `Replicas.maximum`."""

    metric: Literal["rps"]
    target: float
    """Requests a second a replica."""
    window: int
    """Seconds over which requests are counted."""
    scale_up_delay: int
    """Seconds between a scaling event and the next event that adds a replica."""
    scale_down_delay: int
    """Seconds between a scaling event and the next event that removes a replica."""


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """How many GPU instances run the container."""

    minimum: int
    maximum: int
    scaling: Scaling | None
    """`None` if, and only if, minimum and maximum are the same."""


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


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How many requests a client can make for paths with one prefix."""

    prefix: str
    rps: float
    """Requests a second."""
    burst: int
    """Requests that a client can make in addition, in a burst."""
    header: str | None
    """The header whose value identifies a client; `None`: the client's address does."""


@dataclass(frozen=True, kw_only=True)
class ServicePlan:
    """A service: its run name, what runs, where, how many, and how the gateway routes to it."""

    run: str
    gateway: str | None
    """The gateway that the configuration names; `None`: the default one."""
    auth: bool | None
    """Whether callers need an API key; `None`: the gateway's own setting, which is true by default."""
    model: Model | None
    """The model, without its `upstream_api_key`: that is a secret, and has a field of its own."""
    upstream_api_key: Secret | None
    weight: int | None
    """The run's share of the requests for a model name that several runs have; `None`: no other run can have it."""
    container: Container
    files: tuple[LaidFile, ...] = ()
    """What is copied into the container."""
    repository: ClonedRepository | None = None
    offers: tuple[Offer, ...]
    """1 to 40 offers by price, the cheapest first."""
    purchase: Purchase
    disk_gb: int
    """Size of a replica's root volume, in GB."""
    regions: tuple[str, ...] | None
    availability_zones: tuple[str, ...] | None
    replicas: Replicas
    schedule: Schedule | None = None
    """`None`: the service runs from its deployment on."""
    reservation: Reservation | None = None
    """Where instances run. There is only one offer then."""
    utilization: Utilization | None = None
    """What GPUs must be used; `None`: the service runs on without use."""
    draining: int = 900
    """Seconds that a replica has for its open requests before it ends."""
    capacity_timeout: int | None = None
    """Seconds that `pulumi up` waits for the first instance; `None`: `boot_timeout`."""
    strip_prefix: bool = True
    """Whether the gateway removes `/services/<run>` from a path."""
    roll: Roll
    health_check: HealthCheck
    hung_after: int | None
    """Seconds without an answer to any check after which a replica that served is restarted; `None`: never."""
    probes: tuple[ReplicaProbe, ...] = ()
    """The probes that the load balancer cannot send."""
    listening: str = "make the server listen on 0.0.0.0"
    """What makes the server listen on every address, as a remedy."""
    metrics: ServerMetrics | None = None
    """What the server says about itself; `None`: the server is not known, or says nothing."""
    rate_limits: tuple[RateLimit, ...]
    tags: tuple[tuple[str, str], ...]
    ami: str | None
    """A pinned machine image; `None`: the newest one."""
    boot_timeout: int
    """Seconds that a replica has to become healthy."""
    on_failure: Literal["stop", "keep"]
    wait: bool
    """Whether `pulumi up` ends only when the service serves."""
    alarms: AlarmPlan | None = None
    """`None`: nobody is told, so there are no alarms."""
    preflight: bool
    notes: tuple[str, ...]
    """Notes for the user: differences from dstack, and things that are still unknown."""

    @property
    def lays(self) -> bool:
        """Whether something is copied or cloned into the container."""
        return bool(self.files) or self.repository is not None

    @property
    def archives(self) -> tuple[Archive, ...]:
        """The different archives that replicas fetch."""
        changes = self.repository.changes if self.repository else None
        every = [*(file.archive for file in self.files), *([changes] if changes else [])]
        return tuple({archive.sha256: archive for archive in every}.values())

    @property
    def always(self) -> bool:
        """Whether a replica should run at every moment: nothing but a person ends the last one."""
        return self.replicas.minimum > 0 and self.schedule is None and self.utilization is None

    @property
    def resting(self) -> int:
        """The number of replicas that run without a single request, and outside of a schedule."""
        return self.replicas.minimum if self.always else 0

    @property
    def waits(self) -> bool:
        """Whether `pulumi up` waits until a replica serves: not if there can be none, now or before a schedule."""
        return self.wait and self.replicas.minimum > 0 and self.schedule is None
