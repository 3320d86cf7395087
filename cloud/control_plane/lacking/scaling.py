"""EC2 Auto Scaling: what scaling policies show."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from typing import Any

from moto.autoscaling.models import FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse

from cloud.control_plane.lacking.patching import instead


@functools.cache
def install() -> None:
    """Patch moto's scaling policies."""

    @instead(FakeScalingPolicy, "__init__")
    def policy(init: Any, self: Any, *arguments: Any, **named: Any) -> None:
        """moto shows every policy as predictive and as switched off, and the provider would change both each time."""
        predictive = named.pop("predictive_scaling_configuration") or None
        init(self, *arguments, predictive_scaling_configuration=predictive, **named)
        self.enabled = True

    @instead(AutoScalingResponse, "put_scaling_policy")
    def put(put: Any, self: Any) -> Any:
        answer = put(self)
        for policy in self.autoscaling_backend.policies.values():
            if policy.name == self._get_param("PolicyName"):
                policy.enabled = self._get_bool_param("Enabled", True)
        return answer
