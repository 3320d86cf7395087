"""Stack config: what dstack takes on the command line, with the same words, for each type of stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.configuration.amounts import Duration, SizeRange, Whole
from infra.configuration.environment import Environment
from infra.configuration.gateway import Domain
from infra.configuration.placement import InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.resources import Cpu, Disk, Gpu
from infra.configuration.section import Section


class ServiceSettings(Section, frozen=True):
    """Stack config of a service. What is None was not set, and leaves the configuration as it is."""

    configuration: str = Field(min_length=1, description="Path of the configuration")
    gateway: str | None = Field(
        default=None, description="The gateway's stack: name or org/project/stack; default: gateway"
    )
    gpu: Gpu | None = Field(default=None, description="As in the configuration")
    cpu: Cpu | None = Field(default=None, description="As in the configuration")
    memory: SizeRange | None = Field(default=None, description="As in the configuration")
    disk: Disk | None = Field(default=None, description="As in the configuration")
    env: Environment = Field(default={}, repr=False, description="Environment variables, secret or plain")
    auth: bool | None = Field(default=None, description="Whether a key is needed")
    spot_policy: SpotPolicy | None = Field(default=None, description="spot, on-demand or auto")
    max_price: Price | None = Field(default=None, description="Dollars an hour")
    regions: Regions | None = Field(default=None, description="A list, or a,b")
    instance_types: InstanceTypes | None = Field(default=None, description="A list, or a,b")
    availability_zones: Zones | None = Field(default=None, description="A list, or a,b")
    ami: str | None = Field(default=None, description="The machine image; default: resolved once")
    boot_timeout: Duration = Field(default=1800, description="How long a replica may take until it serves")
    on_failure: Literal["stop", "keep"] = Field(default="stop", description="What happens to replicas that never serve")
    wait: bool = Field(default=True, description="Whether pulumi up waits until the service serves")
    preflight: bool = Field(default=True, description="Whether AWS and the Hub are asked before anything is made")


class GatewaySettings(Section, frozen=True):
    """Stack config of a gateway. What is None is looked up or made."""

    configuration: str = Field(min_length=1, description="Path of the configuration")
    auth: bool = Field(default=True, description="Whether services that do not say need a key")
    keys: tuple[str, ...] = Field(default=("default",), description="Names of the API keys: a list, or a,b")
    domain: Domain | None = Field(default=None, description="As in the configuration")
    zone_id: str | None = Field(default=None, description="The Route 53 zone; default: looked up")
    vpc_id: str | None = Field(default=None, description="An existing VPC; default: one is made")
    subnet_ids: tuple[str, ...] | None = Field(default=None, description="Its subnets: a list, or a,b")
    protect: bool = Field(
        default=True, description="Whether the table and the load balancer are protected from deletion"
    )
    manage_api_gateway_account: bool = Field(
        default=True, description="Whether the account's API Gateway log role is set"
    )
    adapter_layer: str | None = Field(default=None, description="ARN of the Lambda Web Adapter layer; default: pinned")
    memory_size: Annotated[Whole, Field(ge=128, le=10240)] = Field(
        default=512, description="The function's memory, in MB"
    )
    preflight: bool = Field(default=True, description="Whether AWS is asked before anything is made")


StackSettings = ServiceSettings | GatewaySettings
