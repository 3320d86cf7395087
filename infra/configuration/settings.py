"""Stack config: what dstack takes on the command line, with the same words, for each type of stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Duration, Positive, SizeRange, read_whole
from infra.configuration.environment import Environment
from infra.configuration.gateway import Domain
from infra.configuration.names import STACK, run_name_rule
from infra.configuration.placement import InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.resources import Cpu, Disk, Gpu
from infra.configuration.section import Refusal, Section, problem

ANY_OR_NO_ORIGIN = frozenset(("*", "none"))
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")


def _is_a_stack(value: str) -> str:
    if not re.fullmatch(rf"{STACK}(/{STACK}/{STACK})?", value):
        rule = "a gateway is named by its stack: letters, digits, -, _ and ., 100 at most"
        raise problem(rule, "write a stack's name, or org/project/stack")
    return value


def _read_keys(value: object) -> object:
    """A map of keys' names to their options; of a list, whose keys have none, too."""
    if isinstance(value, Mapping):
        names = list(cast("Mapping[object, object]", value))
    elif isinstance(value, list | tuple):
        names = list(cast("list[object]", value))
    else:
        raise problem("keys are a list of names, or a map of names to options", "write for example alice,bob")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
            rule = "a key's name has letters, digits, ., _, @ and -, 64 at most, and begins with a letter or a digit"
            remedy = "write for example alice, or alice@2 for her second key"
            raise problem(rule, remedy, found=repr(name)[:80])
        if names.count(name) > 1:
            raise problem("each name is there once", "remove what is there twice", found=f"{name} more than once")
    return cast("object", value) if isinstance(value, Mapping) else dict.fromkeys(names)


def _read_runs(value: object) -> object:
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


def _is_a_run(value: str) -> str:
    if wrong := run_name_rule(value):
        raise problem(*wrong)
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


Ami = Annotated[str, _identifier("a machine image", "ami-[0-9a-f]{8,17}")]
ZoneId = Annotated[str, _identifier("a hosted zone", "Z[A-Z0-9]{4,40}")]
VpcId = Annotated[str, _identifier("a VPC", "vpc-[0-9a-f]{8,17}")]
SubnetId = Annotated[str, _identifier("a subnet", "subnet-[0-9a-f]{8,17}")]
SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=2)]
RunNames = Annotated[
    tuple[Annotated[str, AfterValidator(_is_a_run)], ...], BeforeValidator(_read_runs), Field(min_length=1)
]


def _is_an_origin(value: str) -> str:
    text = value.lower()
    if text not in ANY_OR_NO_ORIGIN and not _ORIGIN.fullmatch(text):
        rule = "an origin is a scheme and a host, with a port if it is not the usual one, and without a path"
        raise problem(rule, "write *, none, or for example https://app.example.com", found=repr(value)[:80])
    return text


def _stands_alone(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > 1 and not ANY_OR_NO_ORIGIN.isdisjoint(value):
        raise problem("* and none stand alone", "write *, none, or only origins", found=",".join(value)[:80])
    return value


Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_is_an_origin)], ...],
    BeforeValidator(_read_runs),
    AfterValidator(_stands_alone),
    Field(min_length=1),
]

_LATER = "the gateway does not count it yet"


class KeyOptions(Section, frozen=True):
    """What a caller with this key may do."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        "expires": Refusal("the gateway knows no time after which a key ends", "remove the key's name when it ends"),
        "tokens_per_day": Refusal(_LATER, "use requests_per_minute"),
        "max_concurrent": Refusal(_LATER, "use requests_per_minute"),
    }

    runs: RunNames | None = Field(
        default=None, description="Names of the runs it may use: a list, or a,b; default: all"
    )
    requests_per_minute: Positive | None = Field(default=None, description="The most requests; default: any number")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {} if value in (None, "") else value


Keys = Annotated[Mapping[str, KeyOptions], BeforeValidator(_read_keys)]
"""By name: `alice`, or `alice@2` for a second key of the same holder."""


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
    weight: Positive | None = Field(
        default=None, description="This run's part of the requests for a model name that other runs with a weight have"
    )
    preflight: bool = Field(default=True, description="Whether AWS and the Hub are asked before anything is made")


class GatewaySettings(Section, frozen=True):
    """Stack config of a gateway. What is None is looked up or made."""

    configuration: str = Field(min_length=1, description="Path of the configuration")
    auth: bool = Field(default=True, description="Whether services that do not say need a key")
    keys: Keys = Field(
        default={"default": KeyOptions()},
        description="The API keys: a list of names, or a,b, or a map of names to options",
    )
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
        default=256, description="The function's memory, in MB"
    )
    reserved_concurrency: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(read_whole)] | None = Field(
        default=None,
        description="Lambda instances reserved for the gateway, which is also its limit; default: not reserved",
    )
    audit: bool = Field(
        default=False, description="Whether the load balancer's access log and the VPC's flow log are kept"
    )
    allowed_origins: Origins = Field(
        default=("*",),
        description="Origins whose web pages can call the gateway: *, none, a list, or a,b",
    )
    preflight: bool = Field(default=True, description="Whether AWS is asked before anything is made")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if (given.get("vpc_id") is None) != (given.get("subnet_ids") is None):
            here, other = ("vpc_id", "subnet_ids") if given.get("vpc_id") is not None else ("subnet_ids", "vpc_id")
            yield here, problem("an existing VPC is given with its subnets", f"set {other} too, or neither")


StackSettings = ServiceSettings | GatewaySettings
