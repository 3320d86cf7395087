"""EC2: what networks and launch templates need and moto drops."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.utils import parse_user_data

from cloud.control_plane.lacking.patching import instead


@functools.cache
def install() -> None:
    """Patch moto's EC2."""

    @instead(LaunchTemplate, "create_version")
    def template_version(create: Any, self: Any, data: dict[str, Any], description: str) -> Any:
        """moto puts the template's own tags among those of instances, and keeps a later version's user data as a text
        from which no instance starts."""
        tags = [one for one in data.get("TagSpecifications", []) if one.get("ResourceType") != "launch-template"]
        data = {**data, "TagSpecifications": tags} if tags else {**data}
        if not tags:
            data.pop("TagSpecifications", None)
        if isinstance(data.get("UserData"), str):
            data["UserData"] = parse_user_data(data["UserData"])
        return create(self, data, description)

    @instead(SecurityGroupRule, "__init__")
    def rule(init: Any, self: Any, *arguments: Any, **named: Any) -> None:
        """moto keeps the descriptions of address ranges alone, and compares groups with their descriptions."""
        init(self, *arguments, **named)
        given = dict(zip(_RULE, arguments, strict=False)) | named
        group, prefix_list = given.get("source_group") or {}, given.get("prefix_list_id") or {}
        self.described = group.get("Description") or prefix_list.get("Description")
        self.source_group = {key: value for key, value in self.source_group.items() if key != "Description"}

    described = SecurityGroupRule.description.fget

    def description(self: Any) -> str | None:
        return (described(self) if described else None) or getattr(self, "described", None)

    SecurityGroupRule.description = property(description)  # pyright: ignore[reportAttributeAccessIssue]

    @instead(RouteTable, "get_filter_value")
    def routes(value: Any, self: Any, name: str, method: str | None = None) -> Any:
        """moto has no such filter."""
        if name == "route.destination-prefix-list-id":
            return [found for one in self._routes.values() if (found := one.destination_prefix_list_id) is not None]
        return value(self, name, method)

    @instead(EC2Backend, "create_flow_logs")
    def flow_logs(create: Any, self: Any, **named: Any) -> Any:
        """moto takes a folder of a bucket for a part of its name."""
        destination = named.get("log_destination") or ""
        if named.get("log_destination_type") == "s3":
            named["log_destination"] = destination.partition("/")[0]
        made, failed = create(self, **named)
        for one in made:
            one.log_destination = destination
        return made, failed

    @instead(EC2Backend, "_delete_security_group")
    def deletes(delete: Any, self: Any, vpc_id: str | None, group_id: str) -> Any:
        """moto deletes a group that machines, load balancers or other groups' rules still need."""
        if user := _user(self, group_id):
            raise DependencyViolationError(f"resource {group_id} has a dependent object ({user})")
        return delete(self, vpc_id, group_id)


_RULE = ("ec2_backend", "ip_protocol", "group_id", "from_port", "to_port", "ip_range", "source_group", "prefix_list_id")


def _user(backend: Any, group_id: str) -> str | None:
    """What keeps a security group."""
    for interface in backend.enis.values():
        if group_id in {group.id for group in interface.group_set} and interface.status == "in-use":
            return str(interface.id)
    for groups in backend.groups.values():
        for group in groups.values():
            rules = [*group.ingress_rules, *group.egress_rules]
            if group.id != group_id and any(rule.source_group.get("GroupId") == group_id for rule in rules):
                return str(group.id)
    return None
