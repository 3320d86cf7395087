"""The plan of a gateway, as plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from infra.planning.alarm_plan import AlarmPlan
from infra.planning.api_key import ApiKey


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """A gateway: its addresses and its parts."""

    name: str
    region: str
    domain: str | None
    """`None`: the gateway answers at the API's own address."""
    certificate_arn: str | None
    """`None`: the program creates a certificate and validates it in the hosted zone."""
    auth: bool
    """The default for its services."""
    keys: tuple[ApiKey, ...]
    zone_id: str | None
    vpc_id: str | None
    subnet_ids: tuple[str, ...] | None
    protect: bool
    manage_api_gateway_account: bool
    adapter_layer: str | None
    """ARN of the layer of the Lambda Web Adapter; `None`: the pinned layer."""
    memory_size: int
    """Memory of the gateway's function, in MB."""
    reserved_concurrency: int | None
    """The number of instances that are reserved for the function, and its maximum; `None`: no reservation."""
    audit: bool
    """Whether the load balancer's access log and the flow log of a new network are kept."""
    allowed_origins: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    alarms: AlarmPlan | None = None
    """`None`: nobody is told, so there are no alarms."""
    preflight: bool
    notes: tuple[str, ...]
