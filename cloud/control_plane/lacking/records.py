"""Route 53: which records exist already."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from moto.route53.exceptions import ResourceRecordAlreadyExists
from moto.route53.models import Route53Backend

from cloud.control_plane.lacking.patching import instead


@functools.cache
def install() -> None:
    """Patch moto's changes of records."""

    @instead(Route53Backend, "change_resource_record_sets")
    def change(apply: Any, self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> Any:
        """moto refuses to create a record that has been deleted, if the zone has any record after it in its order, and
        creates one that exists if its value is another.
        """
        zone = self.get_hosted_zone(zoneid)
        there = {(one.name.rstrip("."), one.type, one.set_identifier) for one in zone.rrsets}
        for one in change_list:
            record = one["ResourceRecordSet"]
            if one["Action"] == "CREATE" and _key(record) in there:
                raise ResourceRecordAlreadyExists(name=f"{record['Name'].rstrip('.')}.", _type=record["Type"])
        zone.rr_changes[:] = [one for one in zone.rr_changes if _key(one["ResourceRecordSet"]) in there]
        return apply(self, zoneid, change_list)


def _key(record: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return record["Name"].rstrip("."), record["Type"], record.get("SetIdentifier")
