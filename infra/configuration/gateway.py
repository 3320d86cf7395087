"""`type: gateway`: what services of one domain and region share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from infra.configuration.section import Section, Written


class Certificate(Section, frozen=True):
    """An existing ACM certificate. Left out: one is made."""

    type: Literal["acm"] = Field(default="acm", description="acm")
    arn: str = Field(description="The certificate's ARN")


class GatewayConfiguration(Written, frozen=True):
    """A gateway."""

    type: Literal["gateway"] = Field(description="gateway")
    name: str | None = Field(default=None, description="The gateway's name; default: the stack's name")
    backend: Literal["aws"] = Field(description="aws")
    region: str = Field(description="The AWS region, as in us-east-1")
    domain: str | None = Field(default=None, description="Services answer at <run name>.<domain>")
    certificate: Certificate | None = Field(default=None, description="An existing certificate; default: one is made")
    tags: Mapping[str, str] = Field(default={}, description="Tags of the AWS resources")
