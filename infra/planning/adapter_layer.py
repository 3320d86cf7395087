"""The Lambda layer of the web adapter, which runs the gateway's ASGI application in its function."""

from __future__ import annotations

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
