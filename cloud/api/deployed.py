"""What is deployed: REST APIs with their stages and routes, and the names at which they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OWN = ".execute-api."
"""Within the address that an API has without a domain."""


@dataclass(frozen=True)
class Integration:
    """The function that answers a method."""

    function: str
    """Its ARN."""
    streamed: bool
    seconds: float
    """What the API waits for the whole response."""


@dataclass(frozen=True)
class Route:
    """A resource and one of its methods."""

    resource: str
    """Its id."""
    path: str
    """As the API writes it: `/`, `/{proxy+}`."""
    method: str
    """`ANY`, or one HTTP method."""
    integration: Integration


@dataclass(frozen=True)
class CustomResponse:
    """The text and status of an error that the API itself answers (PutGatewayResponse)."""

    status: str | None
    templates: Mapping[str, str]
    """By content type."""
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Deployment:
    """What a stage serves until the next deployment: changes of the API itself wait for that."""

    routes: Sequence[Route]
    binary_types: Sequence[str]
    responses: Mapping[str, CustomResponse]
    own_address: bool
    """Whether the API answers at its own address."""


@dataclass(frozen=True)
class Stage:
    """A stage of an API."""

    api: str
    api_name: str
    region: str
    name: str
    deployment: Deployment
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    rate: float = 10_000
    """Requests a second (Amazon API Gateway quotas: 10,000 a second and a burst of 5,000 for a region)."""
    burst: float = 5_000
    log_group: str | None = None
    """Where the access log goes."""
    log_format: str = ""


@dataclass(frozen=True)
class Found:
    """A stage, and what a request's path is there."""

    stage: Stage
    path: str
    """With what a custom domain maps, without the stage of an API's own address: the event's `path`."""
    inner: str
    """What resources are compared with."""


@dataclass(frozen=True)
class Names:
    """Which stage answers at which name."""

    domains: Mapping[str, Mapping[str, Stage]]
    """By domain name, which can begin with `*.`, and by base path, `` for none."""
    own: Mapping[str, Mapping[str, Stage]]
    """By an API's own address, and by the stage's name."""

    def knows(self, host: str) -> bool:
        """Whether the cloud has this name, also if nothing answers there."""
        return self.certified(host) is not None

    def certified(self, host: str) -> str | None:
        """Return the name on the certificate for `host`; `None`: the cloud does not have this name."""
        if OWN in host and host.endswith(".amazonaws.com"):
            return f"*{host[host.index(OWN) :]}"
        return self._domain(host)

    def find(self, host: str, path: str) -> Found | None:
        """Return what answers; `None`: the API says `Forbidden`."""
        if host in self.own:
            name, _, rest = path.lstrip("/").partition("/")
            stage = self.own[host].get(name)
            if stage is None or not stage.deployment.own_address:
                return None
            return Found(stage, f"/{rest}", f"/{rest}")
        domain = self._domain(host)
        if domain is None:
            return None
        for base in sorted(self.domains[domain], key=len, reverse=True):
            if not base:
                return Found(self.domains[domain][base], path, path)
            if path == f"/{base}" or path.startswith(f"/{base}/"):
                return Found(self.domains[domain][base], path, path[len(base) + 1 :] or "/")
        return None

    def _domain(self, host: str) -> str | None:
        """Return the domain of a host. An exact name comes before a wildcard, which stands for exactly one label."""
        wildcard = f"*.{host.partition('.')[2]}"
        return next((name for name in (host, wildcard) if name in self.domains), None)


NOTHING = Names({}, {})


def route_of(deployment: Deployment, path: str, method: str) -> tuple[Route, Mapping[str, str]] | None:
    """Return the route of a request and the parameters in its path; `None`: the API has none.

    A fixed part comes before a parameter, and a parameter before a greedy one.
    """
    found: list[tuple[list[int], Route, Mapping[str, str]]] = []
    for route in deployment.routes:
        parameters = _matched(route.path, path)
        if parameters is not None and route.method in (method, "ANY"):
            order = [_order(part) for part in _parts(route.path)] + [route.method == "ANY"]
            found.append((order, route, parameters))
    if not found:
        return None
    _, route, parameters = min(found, key=lambda each: each[0])
    return route, parameters


def _matched(pattern: str, path: str) -> dict[str, str] | None:
    wanted, given = _parts(pattern), _parts(path)
    parameters: dict[str, str] = {}
    for number, part in enumerate(wanted):
        if part.endswith("+}") and len(given) > number:
            parameters[part[1:-2]] = "/".join(given[number:])
            return parameters
        if number >= len(given):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = given[number]
        elif part != given[number]:
            return None
    return parameters if len(wanted) == len(given) else None


def _parts(path: str) -> list[str]:
    inner = path[1:]
    return inner.split("/") if inner else []


def _order(part: str) -> int:
    return 2 if part.endswith("+}") else 1 if part.startswith("{") else 0
