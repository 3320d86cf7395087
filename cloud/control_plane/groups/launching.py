"""Starts instances: chooses the type, the zone and the purchase, and calls EC2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.utils import convert_tag_spec, filter_iam_instance_profiles

from cloud.control_plane.groups import capacity, wording
from cloud.control_plane.groups.configuration import Configuration, Offer
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member, units

RETRY = 60.0
"""Seconds of AWS's after a launch that failed; it doubles with each further one. AWS publishes no number: activities
that people quote are one to a few minutes apart."""
LONGEST_RETRY = 300.0
GROUP_TAG = "aws:autoscaling:groupName"
_PROFILE = "InvalidParameterValue - Invalid IAM Instance Profile {}"


@dataclass(frozen=True)
class _Place:
    zone: str
    subnet: str | None


class NotLaunched(Exception):
    """EC2 starts no instance. The text is the code and the message."""


def launch(
    group: Group, configuration: Configuration, cause: str, now: float, staying: Sequence[Member]
) -> Member | None:
    """Start one instance. `None`: EC2 does not, and the activity says why; staying: the members that no refresh is
    about to replace.

    On demand the offers are taken in their order; for spot this cloud has no prices, so in their order too. The zone
    with the fewest instances comes first.
    """
    places = _places(group)
    spot = _spot_next(group, configuration, staying)
    failure, where = "", places[0]
    for place, offer in _pools(group, configuration, places):
        try:
            instance, number = _run(group, offer, place, places, spot=spot)
        except NotLaunched as error:
            failure, where = failure or str(error), place if not failure else where
            continue
        activity = group.begin(f"Launching a new EC2 instance: {instance.id}", cause, now, place.subnet, place.zone)
        activity.progress = 30
        template = {**_named(group, offer.template), "Version": str(number)}
        member = Member(instance, group, now=now, activity=activity, template=template, weight=offer.weight, spot=spot)
        group.instance_states.append(member)
        group.failures = 0
        return member
    message = wording.not_launched(failure, mixed=configuration.mixed, spot=spot)
    group.begin("Launching a new EC2 instance", cause, now, where.subnet, where.zone).ends(now, "Failed", message)
    put_off(group, now)
    return None


def put_off(group: Group, now: float) -> None:
    """Delay the next launch, because one failed."""
    group.retry_at = now + group.lasts(min(RETRY * 2**group.failures, LONGEST_RETRY))
    group.failures += 1


def resolved(group: Group, template: Mapping[str, Any]) -> Any:
    """moto's version of a launch template, with `$Latest` and `$Default` resolved now."""
    wanted = {key: value for key, value in template.items() if value is not None}
    backend: Any = group.ec2_backend
    return backend._get_template_from_args({"Version": "$Default", **wanted})  # pyright: ignore[reportPrivateUsage]


def _named(group: Group, template: Mapping[str, Any]) -> dict[str, str]:
    known = resolved(group, template).template
    return {"LaunchTemplateId": known.id, "LaunchTemplateName": known.name}


def _spot_next(group: Group, configuration: Configuration, staying: Sequence[Member]) -> bool:
    """Whether the next instance is spot: when enough of those that stay are on demand."""
    on_demand = units([member for member in staying if not member.spot])
    capacity = max(group.desired_capacity, units(staying) + 1)
    return configuration.mixed and on_demand >= configuration.on_demand(capacity)


def _places(group: Group) -> list[_Place]:
    """The group's subnets in the order that it names them, the zones with the fewest instances first."""
    if group.vpc_zone_identifier:
        subnets = [group.ec2_backend.get_subnet(id.strip()) for id in group.vpc_zone_identifier.split(",")]
        places = [_Place(subnet.availability_zone, subnet.id) for subnet in subnets]
    else:
        places = [_Place(zone, None) for zone in group.availability_zones]
    used = Counter(member.availability_zone for member in group.live)
    return sorted(places, key=lambda place: used[place.zone])


def _pools(group: Group, configuration: Configuration, places: Sequence[_Place]) -> Iterator[tuple[_Place, Offer]]:
    version = resolved(group, configuration.template)
    for place in places:
        for offer in configuration.offers(version.data.get("InstanceType") or ""):
            yield place, offer


def _run(group: Group, offer: Offer, place: _Place, places: Sequence[_Place], *, spot: bool) -> tuple[Any, int]:
    """Start an instance. Returns it and the number of the template's version. Raises NotLaunched."""
    if capacity.is_missing(offer.type, place.zone, spot=spot):
        others = [other.zone for other in places if not capacity.is_missing(offer.type, other.zone, spot=spot)]
        usual = wording.no_capacity(offer.type, place.zone, others, spot=spot)
        raise NotLaunched(capacity.message(offer.type, place.zone, spot=spot) or usual)
    try:
        version = resolved(group, offer.template)
        return _run_instance(group, version, offer.type, place, spot=spot), version.number
    except ServiceException as error:
        raise NotLaunched(f"{error.code} - {error.message}") from error


def _run_instance(group: Group, version: Any, type: str, place: _Place, *, spot: bool) -> Any:
    """Start an instance with everything of the template. moto's own groups leave out profile, network interface, disks
    and tags."""
    data: dict[str, Any] = version.data
    interfaces: list[dict[str, Any]] = data.get("NetworkInterfaces") or []
    first: dict[str, Any] = interfaces[0] if interfaces else {}
    tags = convert_tag_spec(data.get("TagSpecifications") or [])
    profile: dict[str, str] = data.get("IamInstanceProfile") or {}
    backend = group.ec2_backend
    if profile:
        _check_profile(group, profile)
    reservation = backend.run_instances(
        data.get("ImageId") or "",
        1,
        version.user_data,
        [],
        instance_type=type,
        is_instance_type_default=False,
        region_name=group.region,
        subnet_id=place.subnet,
        placement=place.zone,
        key_name=data.get("KeyName"),
        security_group_ids=list(first.get("Groups") or data.get("SecurityGroupIds") or ()),
        associate_public_ip=first.get("AssociatePublicIpAddress"),
        nics=[{"DeviceIndex": 0, "DeleteOnTermination": first.get("DeleteOnTermination", True)}],
        launch_template={"LaunchTemplateId": version.template.id, "Version": str(version.number)},
        instance_initiated_shutdown_behavior=data.get("InstanceInitiatedShutdownBehavior"),
        metadata_options=data.get("MetadataOptions") or {},
        lifecycle="spot" if spot else None,
        tags={
            "instance": {**tags.get("instance", {}), **group.get_propagated_tags(), GROUP_TAG: group.name},
            "volume": tags.get("volume", {}),
        },
    )
    instance = reservation.instances[0]
    if profile:
        backend.associate_iam_instance_profile(
            instance.id, iam_instance_profile_name=profile.get("Name"), iam_instance_profile_arn=profile.get("Arn")
        )
    return instance


def _check_profile(group: Group, profile: Mapping[str, str]) -> None:
    name, arn = profile.get("Name"), profile.get("Arn")
    try:
        filter_iam_instance_profiles(
            group.account_id, partition="aws", iam_instance_profile_arn=arn, iam_instance_profile_name=name
        )
    except ServiceException as error:
        raise NotLaunched(_PROFILE.format(f"ARN {arn}" if arn else f"name {name}")) from error
