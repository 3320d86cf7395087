"""Instances move on when the machines say so, and each has an address of its own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from cloud.control_plane.client import Refused
from tests.cloud.control_plane.conftest import Running

SCRIPT = "#!/bin/bash\necho é\n"
TRUST = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture
def template(plane: Running) -> Iterator[str]:
    ec2, iam = plane.client("ec2"), plane.client("iam")
    iam.create_role(RoleName="replica", AssumeRolePolicyDocument=TRUST)
    profile = iam.create_instance_profile(InstanceProfileName="profile")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="replica")
    data = {
        "ImageId": ec2.describe_images()["Images"][0]["ImageId"],
        "InstanceType": "g6.xlarge",
        "IamInstanceProfile": {"Arn": profile},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    }
    made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData={**data, "UserData": "bmV3"})
    id = made["LaunchTemplate"]["LaunchTemplateId"]
    user_data = base64.b64encode(SCRIPT.encode()).decode()
    ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData={**data, "UserData": user_data})
    yield id
    ec2.delete_launch_template(LaunchTemplateId=id)
    iam.remove_role_from_instance_profile(InstanceProfileName="profile", RoleName="replica")
    iam.delete_instance_profile(InstanceProfileName="profile")
    iam.delete_role(RoleName="replica")


def launch(plane: Running, template: str, version: str = "$Latest") -> str:
    where = {"LaunchTemplateId": template, "Version": version}
    made = plane.client("ec2").run_instances(LaunchTemplate=where, MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def shown(plane: Running, id: str) -> dict[str, Any]:
    return next(dict(one) for one in plane.cloud.instances() if one["id"] == id)


def state(plane: Running, id: str) -> str:
    [reservation] = plane.client("ec2").describe_instances(InstanceIds=[id])["Reservations"]
    return reservation["Instances"][0]["State"]["Name"]


def test_an_instance_is_shown_with_all_that_a_machine_needs(plane: Running, template: str) -> None:
    id = launch(plane, template)
    found = shown(plane, id)
    address, tags = found.pop("address"), found.pop("tags")
    assert found == {
        "id": id,
        "region": "us-east-1",
        "type": "g6.xlarge",
        "state": "pending",
        "user_data": base64.b64encode(SCRIPT.encode()).decode(),
        "group": None,
        "zone": "us-east-1a",
        "image": "ami-0d1ea41110c10a000",
        "role": "replica",
        "lifecycle": "on-demand",
        "shutdown_behavior": "stop",
    }
    assert ip_address(address) in ip_network("127.64.0.0/10")
    assert tags == {"a": "b", "aws:ec2launchtemplate:id": template, "aws:ec2launchtemplate:version": "2"}
    other = launch(plane, template)
    assert shown(plane, other)["address"] != address
    for one in (id, other):
        plane.client("ec2").terminate_instances(InstanceIds=[one])
        plane.cloud.instance_became(one, "terminated")


def test_an_instance_ends_when_its_machine_has(plane: Running, template: str) -> None:
    ec2, id = plane.client("ec2"), launch(plane, template)
    seen = [state(plane, id)]
    plane.cloud.instance_became(id, "running")
    seen.append(state(plane, id))
    ec2.terminate_instances(InstanceIds=[id])
    seen.append(state(plane, id))
    with pytest.raises(Refused, match=f"{id} is shutting-down and cannot become running"):
        plane.cloud.instance_became(id, "running")
    plane.cloud.instance_became(id, "terminated")
    seen.append(state(plane, id))
    assert seen == ["pending", "running", "shutting-down", "terminated"]
    assert (
        ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])[
            "NetworkInterfaces"
        ]
        == []
    )


def test_a_machine_that_turns_itself_off_says_so(plane: Running, template: str) -> None:
    id = launch(plane, template)
    plane.cloud.instance_became(id, "running")
    plane.cloud.instance_became(id, "terminated")
    [reservation] = plane.client("ec2").describe_instances(InstanceIds=[id])["Reservations"]
    assert reservation["Instances"][0]["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_an_instance_stops_and_starts(plane: Running, template: str) -> None:
    ec2, id = plane.client("ec2"), launch(plane, template)
    plane.cloud.instance_became(id, "running")
    ec2.stop_instances(InstanceIds=[id])
    seen = [state(plane, id)]
    plane.cloud.instance_became(id, "stopped")
    seen.append(state(plane, id))
    ec2.start_instances(InstanceIds=[id])
    seen.append(state(plane, id))
    assert seen == ["stopping", "stopped", "pending"]
    plane.cloud.instance_became(id, "terminated")


def test_no_machine_speaks_for_an_instance_that_does_not_exist(plane: Running) -> None:
    with pytest.raises(Refused, match=r"400.*i-0"):
        plane.cloud.instance_became("i-0", "running")
