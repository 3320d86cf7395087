"""The Lambda layer of the Lambda Web Adapter, which runs the gateway's ASGI application in the function."""

from __future__ import annotations

import re

VERSION = 30
"""Version 1.1.0 of aws/aws-lambda-web-adapter. A published layer version never changes."""
ACCOUNT = "753240598075"
"""The account in which that project publishes the layer for AWS's commercial regions."""
REGIONS_WITHOUT = ("me-south-1",)
"""Commercial regions without the layer (aws-lambda-web-adapter, issue 691)."""


def published_layer(region: str) -> str | None:
    """Return the ARN of the pinned layer for arm64; `None`: none is published, and `adapter_layer` must name a copy."""
    if region in REGIONS_WITHOUT or region.startswith(("cn-", "us-gov-", "us-iso", "eusc-")):
        return None
    return f"arn:aws:lambda:{region}:{ACCOUNT}:layer:LambdaAdapterLayerArm64:{VERSION}"


def layer_region(arn: str) -> str | None:
    """Return the region of a layer version; `None`: `arn` does not name one (lambda API: LayerVersionArn)."""
    found = re.fullmatch(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:layer:[a-zA-Z0-9_-]{1,140}:[0-9]+", arn, re.ASCII)
    return found and found[1]
