"""Stack config: what dstack takes on the command line, with the same words, for each type of stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Duration, SizeRange, read_whole
from infra.configuration.environment import Environment
from infra.configuration.gateway import Domain
from infra.configuration.names import STACK
from infra.configuration.placement import InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.resources import Cpu, Disk, Gpu
from infra.configuration.section import Section, problem


def _is_a_stack(value: str) -> str:
    if not re.fullmatch(rf"{STACK}(/{STACK}/{STACK})?", value):
        rule = "a gateway is named by its stack: letters, digits, -, _ and ., 100 at most"
        raise problem(rule, "write a stack's name, or org/project/stack")
    return value


def _are_different(value: tuple[str, ...]) -> tuple[str, ...]:
    if twice := next((name for name in value if value.count(name) > 1), None):
        raise problem("each name is there once", "remove what is there twice", found=f"{twice} more than once")
    return value


def _is_a_key_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", value):
        rule = "a key's name has letters, digits, ., _, @ and -, 64 at most, and begins with a letter or a digit"
        raise problem(rule, "write for example alice, or alice@2 for a second key of hers")
    return value


def _is_time_to_boot(value: int) -> int:
    if not 60 <= value <= 86400:
        raise problem("a replica may take from 1m to 24h", "write for example 30m")
    return value


def _identifier(kind: str, pattern: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise problem(f"this is the id of {kind}", f"write one as AWS shows it: {pattern.partition('[')[0]}…")
        return value

    return AfterValidator(check)


KeyName = Annotated[str, AfterValidator(_is_a_key_name)]
"""`alice`, or `alice@2` for a second key of the same holder."""
KeyNames = Annotated[tuple[KeyName, ...], AfterValidator(_are_different)]
Ami = Annotated[str, _identifier("a machine image", "ami-[0-9a-f]{8,17}")]
ZoneId = Annotated[str, _identifier("a hosted zone", "Z[A-Z0-9]{4,40}")]
VpcId = Annotated[str, _identifier("a VPC", "vpc-[0-9a-f]{8,17}")]
SubnetId = Annotated[str, _identifier("a subnet", "subnet-[0-9a-f]{8,17}")]
SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=2)]


class ServiceSettings(Section, frozen=True):
    """Stack config of a service. What is None was not set, and leaves the configuration as it is."""

    configuration: str = Field(min_length=1, description="Path of the configuration")
    gateway: Annotated[str, AfterValidator(_is_a_stack)] | None = Field(
        default=None, description="The gateway's stack: name or org/project/stack; default: gateway"
    )
    gpu: Gpu | None = Field(default=None, description="As in the configuration")
    cpu: Cpu | None = Field(default=None, description="As in the configuration")
    memory: SizeRange | None = Field(default=None, description="As in the configuration")
    disk: Disk | None = Field(default=None, description="As in the configuration")
    env: Environment = Field(
        default={}, repr=False, description="Environment variables; one secret makes all of them secret"
    )
    auth: bool | None = Field(default=None, description="Whether a key is needed")
    spot_policy: SpotPolicy | None = Field(default=None, description="Which instances are bought")
    max_price: Price | None = Field(default=None, description="Dollars an hour")
    regions: Regions | None = Field(default=None, description="A list, or a,b")
    instance_types: InstanceTypes | None = Field(default=None, description="A list, or a,b")
    availability_zones: Zones | None = Field(default=None, description="A list, or a,b")
    ami: Ami | None = Field(default=None, description="The machine image; default: resolved once")
    boot_timeout: Annotated[Duration, AfterValidator(_is_time_to_boot)] = Field(
        default=1800, description="How long a replica may take until it serves, 1m to 24h"
    )
    on_failure: Literal["stop", "keep"] = Field(default="stop", description="What happens to replicas that never serve")
    wait: bool = Field(default=True, description="Whether pulumi up waits until the service serves")
    preflight: bool = Field(default=True, description="Whether AWS and the Hub are asked before anything is made")


class GatewaySettings(Section, frozen=True):
    """Stack config of a gateway. What is None is looked up or made."""

    configuration: str = Field(min_length=1, description="Path of the configuration")
    auth: bool = Field(default=True, description="Whether services that do not say need a key")
    keys: KeyNames = Field(default=("default",), description="Names of the API keys: a list, or a,b")
    domain: Domain | None = Field(default=None, description="As in the configuration")
    zone_id: ZoneId | None = Field(default=None, description="The Route 53 zone; default: looked up")
    vpc_id: VpcId | None = Field(default=None, description="An existing VPC; default: one is made")
    subnet_ids: SubnetIds | None = Field(default=None, description="Its subnets: a list, or a,b")
    protect: bool = Field(
        default=True, description="Whether the table and the load balancer are protected from deletion"
    )
    manage_api_gateway_account: bool = Field(
        default=True, description="Whether the account's API Gateway log role is set"
    )
    adapter_layer: str | None = Field(default=None, description="ARN of the Lambda Web Adapter layer; default: pinned")
    memory_size: Annotated[int, Field(ge=128, le=10240), BeforeValidator(read_whole)] = Field(
        default=512, description="The function's memory, in MB"
    )
    preflight: bool = Field(default=True, description="Whether AWS is asked before anything is made")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if (given.get("vpc_id") is None) != (given.get("subnet_ids") is None):
            here, other = ("vpc_id", "subnet_ids") if given.get("vpc_id") is not None else ("subnet_ids", "vpc_id")
            yield here, problem("an existing VPC is given with its subnets", f"set {other} too, or neither")


StackSettings = ServiceSettings | GatewaySettings
