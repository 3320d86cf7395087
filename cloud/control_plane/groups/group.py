"""A group of moto with members that live, the reason for its size, activities and refreshes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup

from cloud.control_plane.groups import wording
from cloud.control_plane.groups.activity import Activity, place
from cloud.control_plane.groups.configuration import Configuration, from_policy
from cloud.control_plane.groups.member import Member

DELETING = "Delete in progress"
DEFAULTS = {
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
}
"""What every group has on AWS, so that the provider sends it back. Other values are refused."""
NOT_KNOWN = "UnknownToThisCloud"
"""The code of an error for what AWS has and this cloud does not."""


class Group(FakeAutoScalingGroup):
    """One Auto Scaling group. `life` moves it on."""

    instance_states: list[Member]  # pyright: ignore[reportIncompatibleVariableOverride]
    min_size: int  # pyright: ignore[reportIncompatibleVariableOverride]
    max_size: int  # pyright: ignore[reportIncompatibleVariableOverride]
    desired_capacity: int  # pyright: ignore[reportIncompatibleVariableOverride]
    autoscaling_backend: Any
    ec2_backend: Any

    def __init__(self, *, now: float, because: str, **given: Any) -> None:
        self.activities: list[Activity] = []
        """The oldest first."""
        self.refreshes: list[Any] = []
        """The oldest first."""
        self.request: str | None = None
        """The sentence that says why the desired capacity is what it is, until the group has that capacity."""
        self.retry_at = 0.0
        """When a launch is tried again after one that failed."""
        self.failures = 0
        """Launches that failed since the last that did not."""
        self.replacing = 0
        """Unhealthy members that ended and have no successor yet."""
        self.status: str | None = None
        self.default_instance_warmup: int | None = None
        self.availability_zone_distribution = DEFAULTS["AvailabilityZoneDistribution"]
        self.capacity_reservation_specification = DEFAULTS["CapacityReservationSpecification"]
        super().__init__(**given)
        self.health_check_grace_period = given["health_check_period"]
        self._change(0, self.desired_capacity, because, now)

    @property
    def id(self) -> str:
        """The unique part of its ARN."""
        return self._id

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return float(self.autoscaling_backend.clock.now())

    def lasts(self, seconds: float) -> float:
        """How long AWS's seconds last here."""
        return float(self.autoscaling_backend.clock.lasts(seconds))

    @property
    def launch_template(self) -> dict[str, Any] | None:
        return None if self.mixed_instances_policy else super().launch_template

    @property
    def configuration(self) -> Configuration:
        """What it launches."""
        if self.mixed_instances_policy:
            return from_policy(self.mixed_instances_policy)
        return Configuration(self.launch_template or {})

    def configure(self, template: Mapping[str, Any] | None, policy: Mapping[str, Any] | None) -> None:
        """Change what it launches from now on. Without an argument, nothing changes."""
        if not template and not policy:
            return
        self.mixed_instances_policy = dict(policy) if policy else None
        self._set_launch_configuration("", dict(template or {}), self.mixed_instances_policy)

    @property
    def live(self) -> list[Member]:
        """The members that count as capacity."""
        return [member for member in self.instance_states if member.live]

    def member(self, instance: str) -> Member | None:
        """The member that is an instance."""
        return next((member for member in self.instance_states if member.instance_id == instance), None)

    def suspended(self, process: str) -> bool:
        """Whether a process is suspended, as `Launch`."""
        return process in self._suspended_processes

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        """Only note it: `life` starts and ends instances. moto does it at once."""
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity

    def scale(self, to: int, because: str, now: float) -> None:
        """Set the desired capacity within the sizes, as a policy or a scheduled action does; because: as `a monitor
        alarm … in state ALARM triggered policy …`."""
        self._change(self.desired_capacity, max(self.min_size, min(to, self.max_size)), because, now)

    def resize(self, minimum: int | None, maximum: int | None, desired: int | None, who: str, now: float) -> None:
        """Set the sizes. A desired capacity that is not given moves only as far as it must. Raises AWS's errors."""
        minimum = self.min_size if minimum is None else minimum
        maximum = self.max_size if maximum is None else maximum
        before = self.desired_capacity
        after = max(minimum, min(before, maximum)) if desired is None else desired
        check_sizes(minimum, maximum, after)
        self.min_size, self.max_size = minimum, maximum
        self._change(before, after, wording.constraints(who, minimum, maximum, after), now)

    def begin(self, description: str, cause: str, now: float, subnet: str | None, zone: str) -> Activity:
        """Begin an activity."""
        activity = Activity(
            auto_scaling_group_name=self.name,
            auto_scaling_group_arn=self.arn,
            description=description,
            cause=cause,
            start_time=wording.moment(now),
            details=place(subnet, zone),
        )
        self.activities.append(activity)
        return activity

    def places(self, zones: Sequence[str], subnets: str | None) -> None:
        """Change where it starts instances from now on. `subnets`: their ids with commas."""
        self._set_azs_and_vpcs(list(zones), subnets, update=True)

    def _change(self, before: int, after: int, because: str, now: float) -> None:
        self.desired_capacity = after
        if before != after:
            self.request = wording.at(now, wording.changing(because, before, after))
            self.retry_at = 0.0


def check_sizes(minimum: int, maximum: int, desired: int) -> None:
    """Raise AWS's error if a size contradicts another one."""
    if minimum > maximum:
        raise ValidationError(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if not minimum <= desired <= maximum:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )


def not_known(what: str) -> AutoscalingClientError:
    """Return the error for what AWS has and this cloud does not have. No SDK repeats the call after it."""
    return AutoscalingClientError(NOT_KNOWN, f"autoscaling: {what} is not known to this cloud")
