"""A service's replicas: the group, what an instance is made of and told, what it may read."""

from __future__ import annotations

import base64
import gzip

from infra.planning.boot import AMI_PARAMETER
from tests.aws.recording import Recording
from tests.components.deploying import OFFERS_OF_24_GB, TOKEN, is_secret, plain


def test_the_group_is_the_offers_by_price_on_demand_in_every_zone(service: Recording) -> None:
    group = service.one("aws:autoscaling/group:Group").inputs
    template = service.made(service.one("aws:ec2/launchTemplate:LaunchTemplate"))
    policy = group["mixedInstancesPolicy"]
    assert policy["launchTemplate"]["launchTemplateSpecification"] == {"launchTemplateId": template.id, "version": "1"}
    assert policy["launchTemplate"]["overrides"] == [{"instanceType": name} for name in OFFERS_OF_24_GB]
    assert policy["instancesDistribution"] == {
        "onDemandAllocationStrategy": "prioritized",
        "onDemandBaseCapacity": 0,
        "onDemandPercentageAboveBaseCapacity": 100,
        "spotAllocationStrategy": "price-capacity-optimized",
    }
    assert len(group["vpcZoneIdentifiers"]) == 3
    assert (group["minSize"], group["maxSize"]) == (1, 1)
    assert "desiredCapacity" not in group, "an update would undo what scaling has done"


def test_the_balancer_s_check_ends_no_instance_and_the_group_waits_for_nothing(
    service: Recording,
) -> None:
    group = service.one("aws:autoscaling/group:Group")
    assert (group.inputs["healthCheckType"], group.inputs["healthCheckGracePeriod"]) == ("EC2", 300)
    assert group.inputs["terminationPolicies"] == ["NewestInstance"]
    assert (group.inputs["waitForCapacityTimeout"], group.inputs["forceDelete"]) == ("0", True)
    assert group.timeouts["delete"] == "60m"
    listener = next(service.cloud.records.of("aws:lb/listener:Listener")).outputs["arn"]
    assert group.replacement_trigger == listener, "a group is not moved to another gateway"
    assert service.one("aws:lb/targetGroup:TargetGroup").replacement_trigger == listener
    assert group.inputs["instanceRefresh"] == {
        "strategy": "Rolling",
        "preferences": {"minHealthyPercentage": 100, "maxHealthyPercentage": 200, "instanceWarmup": "2100"},
    }


def test_a_replica_has_an_encrypted_disk_a_public_address_and_its_role_out_of_the_container_s_reach(
    service: Recording,
) -> None:
    template = service.one("aws:ec2/launchTemplate:LaunchTemplate").inputs
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert template["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {"volumeType": "gp3", "volumeSize": 100, "encrypted": "true", "deleteOnTermination": "true"},
        }
    ]
    (interface,) = template["networkInterfaces"]
    group = service.made(service.one("aws:ec2/securityGroup:SecurityGroup")).id
    assert (interface["associatePublicIpAddress"], interface["securityGroups"]) == ("true", [group])
    assert "keyName" not in template
    assert "instanceMarketOptions" not in template, "the group's policy says what is spot"


def test_only_the_load_balancer_reaches_a_replica(service: Recording) -> None:
    rule = service.one("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    balancer = next(
        record.id for record in service.cloud.records.all if record.urn.endswith("SecurityGroup::gateway-load-balancer")
    )
    assert rule["referencedSecurityGroupId"] == balancer
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 8000, 8000)


def test_the_machine_image_is_looked_up_once_and_then_left(service: Recording) -> None:
    template = service.one("aws:ec2/launchTemplate:LaunchTemplate")
    newest = service.cloud.world.parameters[AMI_PARAMETER]
    assert template.inputs["imageId"] == newest, "no secret, though it comes out of SSM"
    assert template.ignore_changes == ("imageId", "blockDeviceMappings[0].deviceName")
    (call,) = [one for one in service.run.calls if one.token == "aws:ssm/getParameter:getParameter"]
    assert call.arguments["name"] == AMI_PARAMETER


def test_a_secret_is_a_secure_parameter_and_nowhere_else(service: Recording) -> None:
    parameter = service.one("aws:ssm/parameter:Parameter")
    assert {name: parameter.inputs[name] for name in ("type", "tier", "name")} == {
        "type": "SecureString",
        "tier": "Standard",
        "name": f"/servestack/{table(service)}/yellow-cat-1/HUGGING_FACE_HUB_TOKEN",
    }
    assert is_secret(parameter.inputs["value"])
    assert plain(parameter.inputs["value"]) == TOKEN
    assert [where for where, text in service.texts() if TOKEN in text] == []
    assert TOKEN not in str(service.exports)
    assert TOKEN not in script(service)


def table(service: Recording) -> str:
    """The name of the gateway's registry."""
    return str(service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-claim").inputs["tableName"])


def script(service: Recording) -> str:
    """The boot script that the launch template carries."""
    text = service.one("aws:ec2/launchTemplate:LaunchTemplate").inputs["userData"]
    return gzip.decompress(base64.b64decode(text)).decode()


def test_user_data_names_table_log_and_the_parameter_s_version(service: Recording) -> None:
    lines = script(service).splitlines()
    log = service.made(service.one("aws:cloudwatch/logGroup:LogGroup")).id
    assert f"TABLE=$'{table(service)}'" in lines
    assert f"LOG_GROUP=$'{log}'" in lines
    assert "REGION=$'us-east-1'" in lines
    parameter = service.one("aws:ssm/parameter:Parameter").inputs["name"]
    assert parameter == f"/servestack/{table(service)}/yellow-cat-1/HUGGING_FACE_HUB_TOKEN"
    assert "SECRETS=($'HUGGING_FACE_HUB_TOKEN 1')" in lines
