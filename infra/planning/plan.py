"""The plan: everything that will be deployed, as plain frozen data, decided before Pulumi creates anything.

`infra.planning.service.plan_service` makes a `ServicePlan`, `infra.planning.gateway.plan_gateway` a `GatewayPlan`.
Nothing here behaves; whoever reads a plan reads the same values. Environment variables and tags are tuples of
(name, value) in the configuration's order; `dict(...)` makes them a mapping.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from gateway_lambda.registry.record import Model
from infra.configuration import ConfigurationError, Problem, Secret, Source
from infra.planning.api_key import ApiKey

SpotPolicy = Literal["on-demand", "spot", "auto"]


class PlanError(ConfigurationError):
    """A configuration that reads well and cannot be deployed; `str()` is the report, all problems of it together."""

    def __init__(self, source: Source, problems: Iterable[Problem]) -> None:
        super().__init__(source.name, map(source.placed, problems))


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An EC2 instance type that satisfies the configuration, with its price."""

    instance_type: str
    gpu: str
    gpu_count: int
    gpu_memory_gb: float
    """Of one GPU, as the card is sold."""
    usable_gpu_memory_gb: float
    """Of one GPU, in GiB: what a model has to fit into."""
    vcpus: int
    memory_gb: float
    disk_gb: int
    """Root volume, in GB."""
    nvme_gb: int
    """Local NVMe together, in GB; 0 where there is none."""
    price: float
    """On-demand list price, US dollars an hour, of the catalog's region and date."""


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """How instances are bought: the numbers of an Auto Scaling group's instances distribution."""

    spot_policy: SpotPolicy
    on_demand_base: int
    """Instances that are on demand before any is spot."""
    on_demand_percentage_above_base: Literal[0, 100]
    spot_max_price: float | None
    """US dollars an hour; `None`: AWS's own ceiling, the on-demand price. Always `None` where nothing is spot."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """When replicas are added and removed between `Replicas.minimum` and `Replicas.maximum`."""

    metric: Literal["rps"]
    target: float
    """Requests a second a replica."""
    window: int
    """Seconds over which requests are counted."""
    scale_up_delay: int
    """Seconds between a scaling event and the next one up."""
    scale_down_delay: int
    """Seconds between a scaling event and the next one down."""


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """How many GPU instances run the container."""

    minimum: int
    maximum: int
    scaling: Scaling | None
    """`None` exactly when minimum and maximum are the same."""


@dataclass(frozen=True, kw_only=True)
class Roll:
    """How running replicas are replaced when what they run has changed."""

    min_healthy_percentage: int
    """Of the replicas wanted: as many serve all the time."""
    max_healthy_percentage: int
    """Of the replicas wanted: as many run at most meanwhile. Quotas must have room for them."""
    warmup: int
    """Seconds after which a new replica is taken for ready and an old one ends."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A path of the instance, seen in the container."""

    instance_path: str
    path: str


@dataclass(frozen=True, kw_only=True)
class RegistryLogin:
    """How the image's registry is logged in to."""

    username: str
    password: Secret


@dataclass(frozen=True, kw_only=True)
class Container:
    """What runs on a replica. `docker run` takes it as: options, `--entrypoint`, image, arguments."""

    image: str
    entrypoint: str | None
    """The program that replaces the image's entrypoint; `None`: the image's own entrypoint and command run."""
    arguments: tuple[str, ...]
    """What follows the image on the command line: each is one argument."""
    environment: tuple[tuple[str, str | Secret], ...] = field(repr=False)
    """Resolved values: what dstack sets and the plan knows (`DSTACK_RUN_NAME`, …), then the configuration's."""
    port: int
    """Where the container listens."""
    shm_size_mb: int | None
    """Size of /dev/shm in MiB; `None`: docker's own 64."""
    working_dir: str | None
    user: str | None
    """`user` or `user:group`, names or numbers."""
    privileged: bool
    registry_login: RegistryLogin | None
    mounts: tuple[Mount, ...]
    hub_cache_paths: tuple[str, ...]
    """Where the container sees the machine's Hub cache, so that weights are fetched once a machine."""
    gpu_count_variables: tuple[str, ...]
    """Variables that are set to the number of the machine's GPUs, counted there."""

    @property
    def command(self) -> tuple[str, ...]:
        """The process's whole argument vector, empty when it is the image's own."""
        return () if self.entrypoint is None else (self.entrypoint, *self.arguments)


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """What the load balancer asks a replica for, and what it takes for a good answer."""

    path: str
    matcher: str
    """Status codes that are good, in the load balancer's own form: `200` or `200-499`."""
    interval: int
    """Seconds between two checks of a replica."""
    timeout: int
    """Seconds after which a check has failed."""
    healthy_threshold: int
    """Good answers in a row that make a replica healthy."""
    unhealthy_threshold: int
    """Bad answers in a row that make it unhealthy."""


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How many requests a client may make, below one path prefix."""

    prefix: str
    rps: float
    """Requests a second."""
    burst: int
    """Requests ahead of the limit."""
    header: str | None
    """The header whose value tells clients apart; `None`: their address does."""


@dataclass(frozen=True, kw_only=True)
class ServicePlan:
    """A service: its run name, what runs, where, how many, and how the gateway routes to it."""

    run: str
    gateway: str | None
    """The gateway that the configuration names; `None`: the default one."""
    auth: bool | None
    """Whether a key is needed; `None`: as the gateway says, whose own default is that one is."""
    model: Model | None
    """Without `upstream_api_key`, which is a secret and stands beside it."""
    upstream_api_key: Secret | None
    weight: int | None
    """The run's part of the requests for a model name that several runs share; `None`: it shares it with none."""
    container: Container
    offers: tuple[Offer, ...]
    """By price, cheapest first: 1 to 40."""
    purchase: Purchase
    disk_gb: int
    """Root volume of a replica, in GB."""
    regions: tuple[str, ...] | None
    availability_zones: tuple[str, ...] | None
    replicas: Replicas
    roll: Roll
    health_check: HealthCheck
    rate_limits: tuple[RateLimit, ...]
    tags: tuple[tuple[str, str], ...]
    ami: str | None
    """A pinned machine image; `None`: resolved."""
    boot_timeout: int
    """Seconds that a replica has to become healthy."""
    on_failure: Literal["stop", "keep"]
    wait: bool
    """Whether `pulumi up` ends only when the service serves."""
    preflight: bool
    notes: tuple[str, ...]
    """What the user should know of this plan, a sentence each: differences from dstack, things left undecided."""

    @property
    def waits(self) -> bool:
        """Whether deploying ends only when a replica serves: not where there may be none."""
        return self.wait and self.replicas.minimum > 0


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """A gateway: where it answers and with what it is built."""

    name: str
    region: str
    domain: str | None
    """`None`: the API's own address serves."""
    certificate_arn: str | None
    """`None`: one is made and validated in the hosted zone."""
    auth: bool
    """The default of its services."""
    keys: tuple[ApiKey, ...]
    """Those that are made."""
    zone_id: str | None
    vpc_id: str | None
    subnet_ids: tuple[str, ...] | None
    protect: bool
    manage_api_gateway_account: bool
    adapter_layer: str | None
    """ARN of the web adapter's layer; `None`: the pinned one."""
    memory_size: int
    """MB of the gateway's function."""
    tags: tuple[tuple[str, str], ...]
    preflight: bool
    notes: tuple[str, ...]
