"""Plans to boot, without the Hub."""

from __future__ import annotations

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import loads
from infra.planning import ServicePlan, plan_service, unresolved

SERVICE = "type: service\nimage: registry.example.com/tgi:3\nport: 80\nresources: {gpu: 24GB}\n"


def planned(lines: str = "", *, service: str = SERVICE, **environment: str) -> ServicePlan:
    """Return the plan of run `run`, whose service has these lines too. `environment` is the caller's environment."""
    configuration = loads(service + lines, "test.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(configuration, run="run", environment=environment, resolve=unresolved)
