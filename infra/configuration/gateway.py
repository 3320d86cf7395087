"""`type: gateway`: the configuration of a gateway, which the services of one domain and region share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, cast

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Positive
from infra.configuration.names import LABEL, PROJECT, PROJECT_NAME
from infra.configuration.placement import Region
from infra.configuration.refusals import BACKENDS, GATEWAY
from infra.configuration.section import Refusal, Section, Written, problem
from infra.configuration.tags import Tags

_DOMAIN = rf"({LABEL}\.)+{LABEL}"
_ARN = re.compile(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/[a-zA-Z0-9-]+", re.ASCII)


def _is_domain(value: str) -> str:
    value = PROJECT_NAME.sub(PROJECT, value)
    if value.startswith("*."):
        rule = "a domain must not begin with `*.`: runs answer at <run name>.<domain>"
        raise problem(rule, f"write {value[2:82]}")
    if len(value) > 190 or not re.fullmatch(_DOMAIN, value):
        rule = "a domain must be lower-case labels joined by dots, at most 190 characters so that run names fit"
        raise problem(rule, "write a domain such as example.com")
    return value


Domain = Annotated[
    str,
    AfterValidator(_is_domain),
    Field(json_schema_extra={"pattern": f"^({PROJECT_NAME.pattern}\\.)?{_DOMAIN}$"}),
]


class Certificate(Section, frozen=True):
    """An existing ACM certificate for `*.<domain>`."""

    type: Literal["acm"] = Field(default="acm", description="Where the certificate is stored")
    arn: str = Field(description="The certificate's ARN", examples=["arn:aws:acm:us-east-1:123456789012:certificate/…"])

    @field_validator("arn")
    @classmethod
    def _is_an_arn(cls, value: str) -> str:
        if not _ARN.fullmatch(value):
            example = "arn:aws:acm:us-east-1:123456789012:certificate/…"
            raise problem("this must be the ARN of a certificate in ACM", f"copy the ARN from ACM: {example}")
        return value


class GatewayConfiguration(Written, frozen=True):
    """The configuration of a gateway."""

    refused: ClassVar[Mapping[str, Refusal]] = GATEWAY

    type: Literal["gateway"] = Field(description="The type of configuration")
    name: str | None = Field(default=None, description="The gateway's name. If not set, the stack name is used")
    backend: Literal["aws"] = Field(description="The cloud", examples=["aws"])
    region: Region = Field(description="The AWS region of the gateway and its services", examples=["us-east-1"])
    domain: Domain | None = Field(
        default=None, description="Runs answer at <run name>.<domain>. If not set, they answer at API Gateway's address"
    )
    certificate: Certificate | None = Field(
        default=None, description="An existing certificate. If not set, the stack creates one for the domain"
    )
    instance_type: str | None = Field(
        default=None, description="dstack's instance type for the gateway. It has no effect: the gateway is a function"
    )
    replicas: Positive | None = Field(
        default=None, description="dstack's number of gateways. It has no effect: AWS runs as many as requests need"
    )
    tags: Tags = Field(default={}, description="Tags of the AWS resources")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        certificate = given.get("certificate")
        if not isinstance(certificate, Mapping):
            return
        if given.get("domain") is None:
            yield "certificate", problem("a gateway with a certificate must have a domain", "add `domain: …`")
        arn = _ARN.fullmatch(str(cast(Mapping[str, object], certificate).get("arn")))
        if arn and isinstance(given.get("region"), str) and arn[1] != given["region"]:
            rule = f"the certificate must be in the gateway's region, and this certificate is in {arn[1]}"
            yield "certificate", problem(rule, f"request a certificate in {given['region']}, or remove this key")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z][a-z0-9-]{1,40}", value, re.ASCII):
            rule = "a gateway's name must have 2 to 41 characters from a-z, 0-9 and -, and must begin with a letter"
            raise problem(rule, "choose a name such as gateway")
        return value

    @field_validator("backend", mode="before")
    @classmethod
    def _is_aws(cls, value: object) -> object:
        if value in BACKENDS:
            raise problem(f"{value} is not supported: servestack runs only on AWS", "write `backend: aws`")
        return value

    @field_validator("certificate", mode="before")
    @classmethod
    def _is_of_acm(cls, value: object) -> object:
        remedy = "remove it to let ACM create and renew a certificate, or write `{type: acm, arn: …}`"
        if value is None:
            raise problem("a gateway always uses HTTPS, so it needs a certificate", remedy)
        kind = cast(Mapping[str, object], value).get("type") if isinstance(value, Mapping) else None
        if kind in ("lets-encrypt", "gcp-cm"):
            raise problem(f"{kind} is not supported: API Gateway uses certificates from ACM", remedy, found=str(kind))
        return cast(object, value)
