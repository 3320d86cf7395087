"""moto's backend of Auto Scaling, with groups that live. `responses` reads the calls for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moto.autoscaling import urls
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend

from cloud.control_plane.clock import Clock
from cloud.control_plane.groups import hooks, targets, wording
from cloud.control_plane.groups.activity import OVER, Activity
from cloud.control_plane.groups.choosing import check_policies
from cloud.control_plane.groups.group import DELETING, Group, check_sizes, not_known
from cloud.control_plane.groups.life import step
from cloud.control_plane.groups.member import Member
from cloud.control_plane.groups.schedule import ScheduledAction

USER = "a user request"
NOT_FOUND = "AutoScalingGroup name not found - AutoScalingGroup {} not found"
IN_USE = "You cannot delete an AutoScalingGroup while there are {}"
INSTANCES = "instances or pending Spot instance request(s) still in the group."
ACTIVITIES = "scaling activities in progress for that group."


class LivingGroups(AutoScalingBackend):
    """The groups of a region."""

    clock: ClassVar[Clock] = Clock()
    autoscaling_groups: dict[str, Group]  # pyright: ignore[reportIncompatibleVariableOverride]
    scheduled_actions: dict[str, ScheduledAction]  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.past: list[Activity] = []
        """Activities of groups that no longer exist."""

    @property
    def _url_module(self) -> Any:
        """moto looks for it beside the class."""
        return urls

    def group(self, name: str | None) -> Group:
        """A group. Raises AWS's error."""
        found = self.autoscaling_groups.get(name or "")
        if found is None:
            raise ValidationError(NOT_FOUND.format(name))
        return found

    def managed(self, instance: str) -> tuple[Group, Member]:
        """An instance of a group. Raises AWS's error."""
        for group in self.autoscaling_groups.values():
            member = group.member(instance)
            if member is not None:
                return group, member
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance}")

    def tick(self, now: float) -> None:
        """Move every group on."""
        for key, action in list(self.scheduled_actions.items()):
            if action.act(self.group(action.auto_scaling_group_name), now):
                del self.scheduled_actions[key]
        for group in list(self.autoscaling_groups.values()):
            step(group, now)
            if group.status == DELETING and not group.instance_states:
                self._forget(group)

    def create(self, given: Mapping[str, Any]) -> None:
        """Create a group from what the API was given."""
        name = given["AutoScalingGroupName"]
        if name in self.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists", f"AutoScalingGroup by this name already exists - A group with the name {name}"
            )
        if bool(given.get("LaunchTemplate")) == bool(given.get("MixedInstancesPolicy")):
            raise ValidationError(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
                "MixedInstancesPolicy parameter."
            )
        minimum, maximum = int(given["MinSize"]), int(given["MaxSize"])
        desired = given.get("DesiredCapacity")
        check_sizes(minimum, maximum, minimum if desired is None else int(desired))
        check_policies(given.get("TerminationPolicies") or [])
        specified: list[Mapping[str, Any]] = given.get("LifecycleHookSpecificationList") or []
        for hook in specified:
            hooks.check(hook.get("LifecycleTransition"), hook.get("DefaultResult"), hook.get("NotificationTargetARN"))
        group: Any = Group(
            now=self.clock.now(),
            because=wording.CREATED,
            name=name,
            availability_zones=given.get("AvailabilityZones") or [],
            desired_capacity=minimum if desired is None else int(desired),
            max_size=maximum,
            min_size=minimum,
            launch_config_name="",
            launch_template=given.get("LaunchTemplate") or {},
            vpc_zone_identifier=given.get("VPCZoneIdentifier"),
            default_cooldown=given.get("DefaultCooldown"),
            health_check_period=int(given.get("HealthCheckGracePeriod") or 0),
            health_check_type=given.get("HealthCheckType"),
            load_balancers=[],
            target_group_arns=list(given.get("TargetGroupARNs") or []),
            placement_group=None,
            termination_policies=given.get("TerminationPolicies") or [],
            autoscaling_backend=self,
            ec2_backend=self.ec2_backend,
            tags=given.get("Tags") or [],
            mixed_instances_policy=given.get("MixedInstancesPolicy"),
            capacity_rebalance=bool(given.get("CapacityRebalance")),
            new_instances_protected_from_scale_in=bool(given.get("NewInstancesProtectedFromScaleIn")),
        )
        group.default_instance_warmup = given.get("DefaultInstanceWarmup")
        self.autoscaling_groups[name] = group
        for hook in specified:
            self.put_hook(name, hook)

    def update(self, given: Mapping[str, Any]) -> None:
        """Change only the given settings of a group."""
        group = self.group(given["AutoScalingGroupName"])
        if given.get("LaunchTemplate") and given.get("MixedInstancesPolicy"):
            raise ValidationError(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName or MixedInstancesPolicy "
                "parameter."
            )
        check_policies(given.get("TerminationPolicies") or [])
        if group.status == DELETING:
            raise AutoscalingClientError("ScalingActivityInProgress", f"AutoScalingGroup {group.name} is being deleted")
        group.resize(given.get("MinSize"), given.get("MaxSize"), given.get("DesiredCapacity"), USER, self.clock.now())
        group.places(given.get("AvailabilityZones") or [], given.get("VPCZoneIdentifier"))
        group.configure(given.get("LaunchTemplate"), given.get("MixedInstancesPolicy"))
        for key, attribute in _PLAIN.items():
            if given.get(key) is not None:
                setattr(group, attribute, given[key])

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        """SetDesiredCapacity. A policy uses `Group.scale`."""
        group, wanted = self.group(group_name), int(desired_capacity or 0)
        refused = "New SetDesiredCapacity value {} is {} value {} for the AutoScalingGroup."
        if wanted < group.min_size:
            raise ValidationError(refused.format(wanted, "below min", group.min_size))
        if wanted > group.max_size:
            raise ValidationError(refused.format(wanted, "above max", group.max_size))
        group.scale(wanted, wording.SET, self.clock.now())

    def delete(self, name: str, *, force: bool) -> None:
        """Delete a group. By force: its instances are ended too. They drain, but wait for no hook. The group is deleted
        with the last one."""
        group = self.group(name)
        if not force and group.instance_states:
            raise AutoscalingClientError("ResourceInUse", IN_USE.format(INSTANCES))
        if not force and any(activity.status_code not in OVER for activity in group.activities):
            raise AutoscalingClientError("ScalingActivityInProgress", IN_USE.format(ACTIVITIES))
        for hook in self.describe_lifecycle_hooks(name):
            self.delete_lifecycle_hook(name, hook.name)
        for member in group.instance_states:
            member.waits.clear()
            member.protected_from_scale_in = False
        group.suspended_processes = []
        group.resize(0, 0, 0, USER, self.clock.now())
        group.status = DELETING
        if not group.instance_states:
            self._forget(group)

    def _forget(self, group: Group) -> None:
        del self.autoscaling_groups[group.name]
        self.past += group.activities
        for kept in (self.scheduled_actions, self.policies):
            for key, one in list(kept.items()):
                if one.auto_scaling_group_name == group.name:
                    del kept[key]

    def put_hook(self, group_name: str, given: Mapping[str, Any]) -> None:
        """Create a hook, or change what is given of it."""
        name, timeout = given["LifecycleHookName"], given.get("HeartbeatTimeout")
        known = self.lifecycle_hooks.get(f"{group_name}_{name}")
        transition = given.get("LifecycleTransition") or (known and known.lifecycle_transition)
        result = given.get("DefaultResult") or (known and known.default_result)
        hooks.check(transition, result, given.get("NotificationTargetARN"))
        timeout = timeout or (known.heartbeat_timeout if known else None)
        hook: Any = hooks.Hook(name, self.group(group_name).name, str(transition), timeout, result)
        self.lifecycle_hooks[f"{group_name}_{name}"] = hook

    def put_action(self, group_name: str, given: Mapping[str, Any]) -> None:
        """Create a scheduled action, or replace it. moto mixes up those of two groups."""
        group = self.group(group_name)
        key = f"{group.name}/{given['ScheduledActionName']}"
        action: Any = ScheduledAction(group, given, self.clock.now())
        self.scheduled_actions[key] = action

    def delete_scheduled_action(self, auto_scaling_group_name: str, scheduled_action_name: str) -> None:
        if self.scheduled_actions.pop(f"{auto_scaling_group_name}/{scheduled_action_name}", None) is None:
            raise ValidationError("Scheduled action name not found")

    def notify_terminate_instances(self, instance_ids: Sequence[str]) -> None:
        """Do nothing: somebody ended instances by EC2's API, and the next health check finds them. moto replaces them
        at once."""

    def update_attached_elbs(self, group_name: str) -> None:
        """Classic load balancers are not known here (`responses` refuses them)."""

    def update_attached_target_groups(self, group_name: str) -> None:
        """Register what is in service with target groups that were attached."""
        group = self.group(group_name)
        for member in group.instance_states:
            if member.lifecycle_state == "InService":
                targets.register(group, member)

    def detach_load_balancer_target_groups(self, group_name: str, target_group_arns: Sequence[str]) -> None:
        group, now = self.group(group_name), self.clock.now()
        for member in group.instance_states:
            for arn in target_group_arns:
                targets.deregister(group, member, now, arn)
        group.target_group_arns = [arn for arn in group.target_group_arns if arn not in target_group_arns]

    def put_warm_pool(self, *_: object, **__: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise not_known("PutWarmPool")

    def attach_instances(self, *_: object, **__: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise not_known("AttachInstances")


_PLAIN = {
    "DefaultCooldown": "default_cooldown",
    "HealthCheckType": "health_check_type",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "TerminationPolicies": "termination_policies",
    "NewInstancesProtectedFromScaleIn": "new_instances_protected_from_scale_in",
    "CapacityRebalance": "capacity_rebalance",
    "DefaultInstanceWarmup": "default_instance_warmup",
}
"""Members of UpdateAutoScalingGroup that only have to be noted."""
