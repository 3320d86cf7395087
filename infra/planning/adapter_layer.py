"""The Lambda layer of the web adapter, which runs the gateway's ASGI application in its function."""

from __future__ import annotations

import re

VERSION = 30
"""Version 1.1.0 of aws/aws-lambda-web-adapter. Layer versions never change once they are published."""
ACCOUNT = "753240598075"
"""The account that the project publishes to in AWS's commercial regions."""
REGIONS_WITHOUT = ("me-south-1",)
"""Commercial regions that its releases leave out (aws-lambda-web-adapter, issue 691)."""


def published_layer(region: str) -> str | None:
    """The pinned layer's ARN for arm64; `None` where none is published: there `adapter_layer` names a copy of it."""
    if region in REGIONS_WITHOUT or region.startswith(("cn-", "us-gov-", "us-iso", "eusc-")):
        return None
    return f"arn:aws:lambda:{region}:{ACCOUNT}:layer:LambdaAdapterLayerArm64:{VERSION}"


def layer_region(arn: str) -> str | None:
    """The region of a layer version; `None` where `arn` is not one's (lambda API: LayerVersionArn)."""
    found = re.fullmatch(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:layer:[a-zA-Z0-9_-]{1,140}:[0-9]+", arn, re.ASCII)
    return found and found[1]
