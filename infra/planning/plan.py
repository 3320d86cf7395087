"""The plan: everything that will be deployed, as plain frozen data, decided before Pulumi creates anything.

A plan has no behaviour. Environment variables and tags are tuples of (name, value), in the order of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from gateway_lambda.registry.record import Model
from infra.configuration import ConfigurationError, Problem, Secret, Source
from infra.planning.alarm_plan import AlarmPlan
from infra.planning.checks import HealthCheck, ReplicaProbe
from infra.planning.container_plan import Container
from infra.planning.local_files.archive import Archive
from infra.planning.local_files.laid import ClonedRepository, LaidFile
from infra.planning.running import Reservation, Roll, Schedule, Utilization
from infra.planning.servers import ServerMetrics

SpotPolicy = Literal["on-demand", "spot", "auto"]
FIRST_GROUP = "0"
"""dstack's name for the first group of replicas, and for the replicas of a service without groups."""


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
    """A service: its run name, what runs, where, how many, and how the gateway routes to it.

    The replicas of a service can be in groups that differ from each other. Then this is the plan of the first group,
    and `others` has those of the others: each as if the service had only that group."""

    run: str
    group: str = FIRST_GROUP
    """The name of this group of replicas."""
    others: tuple[ServicePlan, ...] = ()
    """The other groups. They differ from this one in group, container, offers, purchase, disk_gb, replicas,
    reservation, roll, listening, metrics, and what follows from these."""
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
    def groups(self) -> tuple[ServicePlan, ...]:
        """The plan of each group of replicas; of a service without groups, only its own."""
        return (replace(self, others=()), *self.others)

    @property
    def title(self) -> str:
        """The run name, and the group if its name says more than that there are replicas."""
        return self.run if self.group == FIRST_GROUP else f"{self.run}-{self.group}"

    @property
    def every_offer(self) -> tuple[Offer, ...]:
        """The offers of all groups, the cheapest first."""
        return tuple(sorted((one for plan in self.groups for one in plan.offers), key=lambda offer: offer.price))

    @property
    def fewest(self) -> int:
        """The minimum of all groups together."""
        return sum(plan.replicas.minimum for plan in self.groups)

    @property
    def most(self) -> int:
        """The maximum of all groups together."""
        return sum(plan.replicas.maximum for plan in self.groups)

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
        return self.fewest > 0 and self.schedule is None and self.utilization is None

    @property
    def resting(self) -> int:
        """The number of replicas that run without a single request, and outside of a schedule."""
        return self.fewest if self.always else 0

    @property
    def waits(self) -> bool:
        """Whether `pulumi up` waits until a replica of this group serves: not if there can be none, now or before a
        schedule."""
        return self.wait and self.replicas.minimum > 0 and self.schedule is None
