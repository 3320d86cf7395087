"""The calls of Auto Scaling: those that moto lacks, and those whose parameters it drops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from cloud.control_plane.groups import hooks, instance_calls, refresh_calls
from cloud.control_plane.groups.activity import OVER, Activity
from cloud.control_plane.groups.backend import LivingGroups
from cloud.control_plane.groups.group import DEFAULTS, Group, not_known
from cloud.control_plane.groups.member import Member
from cloud.control_plane.groups.metrics import METRICS
from cloud.control_plane.groups.moving import abandon

_UPDATED = {
    "AutoScalingGroupName", "LaunchTemplate", "MixedInstancesPolicy", "MinSize", "MaxSize", "DesiredCapacity",
    "DefaultCooldown", "AvailabilityZones", "HealthCheckType", "HealthCheckGracePeriod", "VPCZoneIdentifier",
    "TerminationPolicies", "NewInstancesProtectedFromScaleIn", "CapacityRebalance", "DefaultInstanceWarmup",
    "ServiceLinkedRoleARN",
}  # fmt: skip
_CREATED = {*_UPDATED, "TargetGroupARNs", "Tags", "LifecycleHookSpecificationList"}
_PAGE = 100


class LivingGroupsResponse(AutoScalingResponse):
    """The calls of Auto Scaling, for `LivingGroups`."""

    @property
    def autoscaling_backend(self) -> LivingGroups:
        found: Any = autoscaling_backends[self.current_account][self.region]
        return found

    def create_auto_scaling_group(self) -> ActionResult:
        self.autoscaling_backend.create(self._known("CreateAutoScalingGroup", _CREATED))
        return EmptyResult()

    def update_auto_scaling_group(self) -> ActionResult:
        self.autoscaling_backend.update(self._known("UpdateAutoScalingGroup", _UPDATED))
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        given = self._given()
        self.autoscaling_backend.delete(given["AutoScalingGroupName"], force=bool(given.get("ForceDelete")))
        return EmptyResult()

    def set_desired_capacity(self) -> ActionResult:
        if self._given().get("HonorCooldown"):
            raise not_known("HonorCooldown of SetDesiredCapacity")
        return super().set_desired_capacity()

    def describe_scaling_activities(self) -> ActionResult:
        """Those that go on first, then the newest."""
        given = self._given()
        name, ids = given.get("AutoScalingGroupName"), given.get("ActivityIds")
        backend = self.autoscaling_backend
        found: list[Activity] = [*backend.past] if given.get("IncludeDeletedGroups") else []
        for group in backend.autoscaling_groups.values():
            found += group.activities
        of_group = [one for one in reversed(found) if name in (None, one.auto_scaling_group_name)]
        if name is not None and not of_group:
            backend.group(name)
        chosen = [one for one in of_group if not ids or one.activity_id in ids]
        chosen.sort(key=lambda one: one.start_time, reverse=True)
        chosen.sort(key=lambda one: one.status_code in OVER)
        return self._page("Activities", chosen)

    def describe_instance_refreshes(self) -> ActionResult:
        given = self._given()
        group, ids = self._group(), given.get("InstanceRefreshIds")
        found = [one for one in reversed(group.refreshes) if not ids or one.instance_refresh_id in ids]
        return self._page("InstanceRefreshes", found)

    def start_instance_refresh(self) -> ActionResult:
        return ActionResult({"InstanceRefreshId": refresh_calls.start(self._group(), self._given())})

    def cancel_instance_refresh(self) -> ActionResult:
        wait = self._given().get("WaitForTransitioningInstances", True)
        return ActionResult({"InstanceRefreshId": refresh_calls.cancel(self._group(), wait=bool(wait))})

    def rollback_instance_refresh(self) -> ActionResult:
        return ActionResult({"InstanceRefreshId": refresh_calls.roll_back(self._group())})

    def set_instance_health(self) -> ActionResult:
        given = self._given()
        group, member = self.autoscaling_backend.managed(given["InstanceId"])
        respect = given.get("ShouldRespectGracePeriod", True)
        instance_calls.set_health(group, member, given["HealthStatus"], respect_grace=bool(respect))
        return EmptyResult()

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        given = self._given()
        group, member = self.autoscaling_backend.managed(given["InstanceId"])
        decrement = bool(given.get("ShouldDecrementDesiredCapacity"))
        return ActionResult({"Activity": instance_calls.terminate(group, member, decrement=decrement)})

    def detach_instances(self) -> ActionResult:
        return self._taken(instance_calls.detach)

    def enter_standby(self) -> ActionResult:
        return self._taken(instance_calls.enter_standby)

    def exit_standby(self) -> ActionResult:
        ids: list[str] = self._given().get("InstanceIds") or []
        return ActionResult({"Activities": instance_calls.exit_standby(self._group(), ids)})

    def set_instance_protection(self) -> ActionResult:
        given = self._given()
        protected = bool(given["ProtectedFromScaleIn"])
        instance_calls.protect(self._group(), given.get("InstanceIds") or [], protected=protected)
        return EmptyResult()

    def put_lifecycle_hook(self) -> ActionResult:
        self.autoscaling_backend.put_hook(self._group().name, self._given())
        return EmptyResult()

    def complete_lifecycle_action(self) -> ActionResult:
        group, (member, wait) = self._group(), self._wait()
        result = self._given()["LifecycleActionResult"]

        def give_up(given_up: hooks.Wait) -> None:
            abandon(group, member, given_up, group.now, timed_out=False)

        hooks.resolve(member, wait, result, give_up)
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self) -> ActionResult:
        group, (_, wait) = self._group(), self._wait()
        hooks.heartbeat(group, wait, group.now)
        return EmptyResult()

    def put_scheduled_update_group_action(self) -> ActionResult:
        self.autoscaling_backend.put_action(self._group().name, self._given())
        return EmptyResult()

    def batch_put_scheduled_update_group_action(self) -> ActionResult:
        failed: list[Mapping[str, Any]] = []
        for action in self._given()["ScheduledUpdateGroupActions"]:
            try:
                self.autoscaling_backend.put_action(self._group().name, action)
            except AutoscalingClientError as error:
                failed.append(
                    {
                        "ScheduledActionName": action["ScheduledActionName"],
                        "ErrorCode": error.code,
                        "ErrorMessage": error.message,
                    }
                )
        return ActionResult({"FailedScheduledUpdateGroupActions": failed})

    def enable_metrics_collection(self) -> ActionResult:
        group, chosen = self._group(), self._given().get("Metrics") or METRICS
        group.metrics = [one for one in METRICS if one in group.metrics or one in chosen]
        return EmptyResult()

    def disable_metrics_collection(self) -> ActionResult:
        group, chosen = self._group(), self._given().get("Metrics") or METRICS
        group.metrics = [one for one in group.metrics if one not in chosen]
        return EmptyResult()

    def create_launch_configuration(self) -> ActionResult:
        raise not_known("CreateLaunchConfiguration")

    def attach_load_balancers(self) -> ActionResult:
        raise not_known("AttachLoadBalancers")

    def _given(self) -> dict[str, Any]:
        return self._get_params()

    def _known(self, operation: str, names: set[str]) -> dict[str, Any]:
        """The parameters of a call. Raises an error for those that this cloud does not know."""
        given = self._given()
        for name in sorted(set(given) - names):
            if given[name] and given[name] != DEFAULTS.get(name):
                raise not_known(f"{name} {given[name]} of {operation}")
        return given

    def _group(self) -> Group:
        return self.autoscaling_backend.group(self._given().get("AutoScalingGroupName"))

    def _wait(self) -> tuple[Member, hooks.Wait]:
        given = self._given()
        token, instance = given.get("LifecycleActionToken"), given.get("InstanceId")
        return hooks.find(self._group(), given["LifecycleHookName"], token, instance)

    def _taken(self, call: Any) -> ActionResult:
        given = self._given()
        decrement = bool(given["ShouldDecrementDesiredCapacity"])
        return ActionResult({"Activities": call(self._group(), given.get("InstanceIds") or [], decrement=decrement)})

    def _page(self, name: str, found: Sequence[Any]) -> ActionResult:
        given = self._given()
        begin, most = int(given.get("NextToken") or 0), int(given.get("MaxRecords") or _PAGE)
        more = str(begin + most) if begin + most < len(found) else None
        return ActionResult({name: list(found[begin : begin + most]), "NextToken": more})
