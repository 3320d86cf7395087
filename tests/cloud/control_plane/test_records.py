"""Records of Route 53."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.control_plane.conftest import Running


@pytest.fixture(name="route53")
def _route53(plane: Running) -> Any:
    return plane.client("route53")


def test_a_record_that_was_deleted_can_be_created_again_beside_others(route53: Any) -> None:
    [zone] = route53.list_hosted_zones()["HostedZones"]
    change(route53, zone["Id"], "CREATE", "zebra")
    for action in ("CREATE", "DELETE", "CREATE"):
        change(route53, zone["Id"], action, "cat")
    assert addresses(route53, zone["Id"]) == {
        "cat.models.localhost.": "192.0.2.1",
        "zebra.models.localhost.": "192.0.2.1",
    }
    for name in ("cat", "zebra"):
        change(route53, zone["Id"], "DELETE", name)
    assert addresses(route53, zone["Id"]) == {}


def test_a_record_that_exists_cannot_be_created_whatever_its_value_is(route53: Any) -> None:
    [zone] = route53.list_hosted_zones()["HostedZones"]
    change(route53, zone["Id"], "CREATE", "dog")
    with pytest.raises(ClientError, match=r"name='dog\.models\.localhost\.', type='A'\] but it already exists"):
        change(route53, zone["Id"], "CREATE", "dog", "192.0.2.2")
    change(route53, zone["Id"], "DELETE", "dog")


def change(route53: Any, zone: str, action: str, name: str, address: str = "192.0.2.1") -> None:
    record = {
        "Name": f"{name}.models.localhost",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": address}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


def addresses(route53: Any, zone: str) -> dict[str, str]:
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {one["Name"]: one["ResourceRecords"][0]["Value"] for one in found if one["Type"] == "A"}
