"""The calls on instance refreshes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError

from cloud.control_plane.groups import wording
from cloud.control_plane.groups.configuration import Configuration, from_policy
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.launching import resolved
from cloud.control_plane.groups.member import Member
from cloud.control_plane.groups.refresh import Refresh, checked
from cloud.control_plane.groups.refreshing import ROLLED_BACK, active, go_back, reversible

GOES_ON = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
NONE_GOES_ON = "No in progress or pending Instance Refresh found for Auto Scaling group {}"
NO_WAY_BACK = "The instance refresh has no desired configuration, or a launch template version that moves."


def start(group: Group, given: Mapping[str, Any]) -> str:
    """StartInstanceRefresh. Returns its id. Raises AWS's errors."""
    if active(group) is not None:
        raise AutoscalingClientError("InstanceRefreshInProgress", GOES_ON)
    desired = given.get("DesiredConfiguration")
    refresh = Refresh(
        auto_scaling_group_name=group.name,
        preferences=checked(given.get("Strategy"), given.get("Preferences") or {}),
        desired_configuration=desired,
        start_time=wording.moment(group.now),
        configuration=_configuration(group, desired or {}),
        previous=group.configuration,
        earlier=frozenset(member.instance_id for member in group.instance_states),
    )
    if refresh.target["AutoRollback"] and not reversible(refresh):
        raise ValidationError(f"AutoRollback is not possible. {NO_WAY_BACK}")
    refresh.old = [member.instance_id for member in group.instance_states if _concerns(group, refresh, member)]
    refresh.total = refresh.instances_to_update = len(refresh.old)
    group.refreshes.append(refresh)
    return refresh.instance_refresh_id


def cancel(group: Group, *, wait: bool) -> str:
    """CancelInstanceRefresh, of a refresh or a rollback. Returns its id."""
    refresh = _going(group)
    refresh.status, refresh.waits = "Cancelling", wait
    return refresh.instance_refresh_id


def roll_back(group: Group) -> str:
    """RollbackInstanceRefresh. Returns its id."""
    refresh = _going(group)
    if not reversible(refresh):
        raise AutoscalingClientError("IrreversibleInstanceRefresh", NO_WAY_BACK)
    go_back(group, refresh, ROLLED_BACK, group.now)
    return refresh.instance_refresh_id


def _going(group: Group) -> Refresh:
    refresh = active(group)
    if refresh is None or refresh.status == "Cancelling":
        raise AutoscalingClientError("ActiveInstanceRefreshNotFound", NONE_GOES_ON.format(group.name))
    return refresh


def _configuration(group: Group, desired: Mapping[str, Any]) -> Configuration:
    if desired.get("MixedInstancesPolicy"):
        return from_policy(desired["MixedInstancesPolicy"])
    if desired.get("LaunchTemplate"):
        return Configuration(desired["LaunchTemplate"])
    return group.configuration


def _concerns(group: Group, refresh: Refresh, member: Member) -> bool:
    """Whether a refresh replaces a member."""
    if member.leaves or not (member.live or member.lifecycle_state == "Standby"):
        return False
    if refresh.target["SkipMatching"] and _matches(group, refresh.configuration, member):
        return False
    if member.protected_from_scale_in and refresh.target["ScaleInProtectedInstances"] == "Ignore":
        return False
    return member.lifecycle_state != "Standby" or refresh.target["StandbyInstances"] != "Ignore"


def _matches(group: Group, configuration: Configuration, member: Member) -> bool:
    version = resolved(group, configuration.template)
    types = {offer.type for offer in configuration.offers(version.data.get("InstanceType") or "")}
    same = (member.template or {}).get("LaunchTemplateId") == version.template.id and member.version == version.number
    return same and member.instance_type in types
