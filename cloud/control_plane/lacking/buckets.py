"""S3: what bucket policies say."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from cloud.control_plane.lacking.patching import instead


@functools.cache
def install() -> None:
    """Patch moto's reading of policies."""

    @instead(IAMPolicyStatement, "is_action_permitted")
    def permitted(decide: Any, self: Any, *arguments: Any, **named: Any) -> Any:
        """moto takes a statement that refuses requests without TLS for one that refuses every request.

        Nothing here uses TLS to the control plane. It stands for AWS, to which everybody does.
        """
        if self._statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
            return PermissionResult.NEUTRAL
        return decide(self, *arguments, **named)
