"""What a gateway's stack makes, asserted on what the program asked for."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from infra.components.registry import api_key
from tests.aws.recording import Recording
from tests.components.deploying import is_secret, item, plain

OPEN = "0.0.0.0/0"


def test_the_network_is_public_subnets_in_every_zone_without_nat(gateway: Recording) -> None:
    subnets = [(one.inputs["availabilityZone"], one.inputs["cidrBlock"]) for one in gateway.of("aws:ec2/subnet:Subnet")]
    assert sorted(subnets) == [
        ("us-east-1a", "10.0.0.0/20"),
        ("us-east-1b", "10.0.16.0/20"),
        ("us-east-1c", "10.0.32.0/20"),
    ]
    assert gateway.one("aws:ec2/vpc:Vpc").inputs["cidrBlock"] == "10.0.0.0/16"
    route = gateway.one("aws:ec2/route:Route").inputs
    assert (route["destinationCidrBlock"], route["gatewayId"]) == (
        OPEN,
        gateway.made(gateway.one("aws:ec2/internetGateway:InternetGateway")).id,
    )
    assert len(gateway.of("aws:ec2/routeTableAssociation:RouteTableAssociation")) == 3
    assert not [one.type for one in gateway.resources if "nat" in one.type.lower() or "eip" in one.type.lower()]


def test_dynamodb_is_reached_through_an_endpoint_in_the_subnets_route_table(gateway: Recording) -> None:
    endpoint = gateway.one("aws:ec2/vpcEndpoint:VpcEndpoint").inputs
    assert (endpoint["vpcEndpointType"], endpoint["serviceName"]) == ("Gateway", "com.amazonaws.us-east-1.dynamodb")
    assert endpoint["routeTableIds"] == [gateway.made(gateway.one("aws:ec2/routeTable:RouteTable")).id]


def test_the_load_balancer_is_internal_and_waits_longer_than_any_response(gateway: Recording) -> None:
    balancer = gateway.one("aws:lb/loadBalancer:LoadBalancer")
    assert (balancer.inputs["internal"], balancer.inputs["loadBalancerType"]) == (True, "application")
    assert balancer.inputs["idleTimeout"] > 900
    assert "accessLogs" not in balancer.inputs
    assert "name" not in balancer.inputs
    assert len(balancer.inputs["subnets"]) == 3
    network = gateway.made(gateway.one("aws:ec2/vpc:Vpc")).id
    assert balancer.replacement_trigger == network, "the provider would try to move it into another VPC"


def test_the_load_balancer_refuses_what_two_parsers_could_read_in_two_ways(gateway: Recording) -> None:
    balancer = gateway.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert (balancer["dropInvalidHeaderFields"], balancer["desyncMitigationMode"]) == (True, "strictest")


def test_the_only_listener_answers_404_in_json(gateway: Recording) -> None:
    listener = gateway.one("aws:lb/listener:Listener").inputs
    (action,) = listener["defaultActions"]
    fixed = action["fixedResponse"]
    assert (listener["protocol"], listener["port"], action["type"]) == ("HTTP", 80, "fixed-response")
    assert (fixed["statusCode"], fixed["contentType"]) == ("404", "application/json")
    assert json.loads(fixed["messageBody"])["error"].keys() == {"message", "type", "param", "code"}


def test_security_groups_let_the_function_through_to_balancer_and_table_and_nothing_else(gateway: Recording) -> None:
    group = {one.name: gateway.made(one).id for one in gateway.of("aws:ec2/securityGroup:SecurityGroup")}
    admitted = [
        (
            one.inputs["securityGroupId"],
            one.inputs["referencedSecurityGroupId"],
            one.inputs["ipProtocol"],
            one.inputs["fromPort"],
            one.inputs["toPort"],
        )
        for one in gateway.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    ]
    assert admitted == [(group["gateway-load-balancer"], group["gateway-function"], "tcp", 80, 80)]
    prefix_list = gateway.made(gateway.one("aws:ec2/vpcEndpoint:VpcEndpoint")).outputs["prefixListId"]
    out = {
        one.name: {name: value for name, value in one.inputs.items() if name != "description"}
        for one in gateway.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    }
    balancer, function = group["gateway-load-balancer"], group["gateway-function"]
    assert out == {
        "gateway-load-balancer-to-replicas": {**_rule(balancer, 8000), "cidrIpv4": OPEN},
        "gateway-function-to-load-balancer": {**_rule(function, 80), "referencedSecurityGroupId": balancer},
        "gateway-function-to-dynamodb": {**_rule(function, 443), "prefixListId": prefix_list},
    }
    inline = [one.name for one in gateway.of("aws:ec2/securityGroup:SecurityGroup") if "egress" in one.inputs]
    assert inline == [], "the provider takes away the rule to everywhere that AWS makes, and no other is made"


def _rule(group: str, port: int) -> dict[str, object]:
    return {"securityGroupId": group, "ipProtocol": "tcp", "fromPort": port, "toPort": port}


def test_the_table_is_paid_by_request_and_expires_what_replicas_say(gateway: Recording) -> None:
    table = gateway.one("aws:dynamodb/table:Table")
    assert table.inputs == {
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "pk",
        "rangeKey": "sk",
        "attributes": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
        "ttl": {"attributeName": "ttl", "enabled": True},
        "pointInTimeRecovery": {"enabled": True},
        "deletionProtectionEnabled": True,
    }


def test_a_key_is_random_and_the_table_has_its_digest_alone(gateway: Recording) -> None:
    made = gateway.one("random:index/randomBytes:RandomBytes", "gateway-key-default")
    assert made.inputs == {"length": 32}
    key = api_key(gateway.made(made).outputs["base64"])
    assert re.fullmatch(r"ss-[A-Za-z0-9_-]{43}", key)
    entry = gateway.one("aws:dynamodb/tableItem:TableItem")
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert item(entry) == {
        "pk": "registry",
        "sk": "key#default",
        "record": {"name": "default", "sha256": digest},
    }
    assert is_secret(entry.inputs["item"])
    assert is_secret(gateway.exports["api_keys"])
    assert plain(gateway.exports["api_keys"]) == {"default": key}
    assert key not in "".join(text for _, text in gateway.texts())


def test_the_function_runs_the_adapter_in_streaming_mode_in_the_network(gateway: Recording) -> None:
    function = gateway.one("aws:lambda/function:Function")
    table = gateway.made(gateway.one("aws:dynamodb/table:Table")).id
    balancer = gateway.made(gateway.one("aws:lb/loadBalancer:LoadBalancer")).outputs["dnsName"]
    assert function.inputs["environment"]["variables"] == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
        "GATEWAY_REGISTRY": f"dynamodb:{table}",
        "GATEWAY_DOMAIN": "example.com",
        "GATEWAY_UPSTREAM": f"http://{balancer}",
        "GATEWAY_PLAIN_TIMEOUT": "285",
        "GATEWAY_ALLOWED_ORIGINS": "*",
        "PORT": "8000",
    }
    assert {
        name: function.inputs[name] for name in ("runtime", "architectures", "handler", "memorySize", "timeout")
    } == {
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "handler": "run.sh",
        "memorySize": 256,
        "timeout": 900,
    }
    assert "reservedConcurrentExecutions" not in function.inputs
    assert function.inputs["layers"] == ["arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerArm64:30"]
    assert function.inputs["code"].path.endswith(".zip")
    assert len(function.inputs["vpcConfig"]["subnetIds"]) == 3


def test_the_function_writes_plain_text_to_a_log_of_its_own_that_ends(gateway: Recording) -> None:
    function = gateway.one("aws:lambda/function:Function")
    log = gateway.one("aws:cloudwatch/logGroup:LogGroup", "gateway-function")
    assert function.inputs["loggingConfig"] == {"logFormat": "Text", "logGroup": gateway.made(log).id}
    assert log.inputs["retentionInDays"] == 30


def test_the_function_gives_up_its_security_group_when_it_is_deleted(gateway: Recording) -> None:
    function = gateway.one("aws:lambda/function:Function")
    default = gateway.made(gateway.one("aws:ec2/vpc:Vpc")).outputs["defaultSecurityGroupId"]
    assert function.inputs["replaceSecurityGroupsOnDestroy"] is True
    assert function.inputs["replacementSecurityGroupIds"] == [default]


def test_what_holds_the_function_s_network_interfaces_goes_before_the_role_that_deletes_them(
    gateway: Recording,
) -> None:
    policy = gateway.one("aws:iam/rolePolicy:RolePolicy", "gateway-function").urn
    holding = [
        *gateway.of("aws:ec2/subnet:Subnet"),
        gateway.one("aws:ec2/securityGroup:SecurityGroup", "gateway-function"),
        gateway.one("aws:lambda/function:Function"),
    ]
    assert [one.name for one in holding if policy not in gateway.waits_for(one)] == []
    waiting = [
        one.timeouts.get("delete")
        for one in gateway.resources
        if one.type in ("aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup")
    ]
    assert waiting == ["45m"] * 5, "Lambda takes up to 35 minutes"


def test_table_and_load_balancer_are_protected_and_what_is_deleted_first(gateway: Recording) -> None:
    assert {one.name for one in gateway.resources if one.protect} == {
        "gateway-table",
        "gateway-load-balancer",
        "gateway-teardown (if protected: pulumi config set protect false)",
    }
    assert gateway.one("aws:lb/loadBalancer:LoadBalancer").inputs["enableDeletionProtection"] is True
    teardown = gateway.one("pulumi-python:dynamic:Resource")
    aws = {one.urn for one in gateway.resources if one.type.startswith(("aws:", "random:"))}
    assert aws <= gateway.waits_for(teardown), "a refusal must come before anything is deleted"


def test_the_setting_that_every_api_s_logs_need_stays_when_the_stack_goes(gateway: Recording) -> None:
    assert sorted(one.type for one in gateway.resources if one.retain_on_delete) == [
        "aws:apigateway/account:Account",
        "aws:iam/role:Role",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:route53/record:Record",
    ]


def test_everything_is_made_in_the_region_by_one_provider_with_the_stack_s_tags(gateway: Recording) -> None:
    (provider,) = [one for one in gateway.run.registrations if one.type == "pulumi:providers:aws"]
    assert provider.inputs["region"] == "us-east-1"
    tags = provider.inputs["defaultTags"]
    assert (json.loads(tags) if isinstance(tags, str) else tags) == {
        "tags": {"servestack:stack": "organization/servestack/gateway", "servestack:gateway": "gateway"}
    }
    others = {one.provider.split("::")[3] for one in gateway.resources if one.type.startswith("aws:")}
    assert others == {"aws"}


def test_every_child_has_a_component_for_its_parent(gateway: Recording) -> None:
    roots = [one.name for one in gateway.run.registrations if "pulumi:pulumi:Stack::" in one.parent]
    assert sorted(roots) == ["aws", "gateway", "type"]


def test_the_outputs_are_those_of_the_design(gateway: Recording) -> None:
    connection = gateway.exports["connection"]
    assert gateway.exports.keys() == {
        "url", "openai_base_url", "api_keys", "name_servers", "connection", "dashboard", "what_next"
    }  # fmt: skip
    assert gateway.exports["dashboard"] == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/"
        f"servestack-{connection['table']}"
    )
    assert gateway.exports["what_next"] == {
        "deploy a service": "pulumi stack init NAME && pulumi config set configuration FILE && pulumi up",
        "follow its logs": "make logs STACK=gateway ARGS=--follow",
        "see what runs": "make status",
        "see the API keys": "pulumi stack output api_keys --stack gateway --show-secrets",
        "take it down, after its services": "pulumi config set protect false --stack gateway && "
        "pulumi up --stack gateway && pulumi destroy --stack gateway",
    }
    assert (gateway.exports["url"], gateway.exports["openai_base_url"]) == (
        "https://gateway.example.com",
        "https://gateway.example.com/v1",
    )
    assert len(gateway.exports["name_servers"]) == 4
    domain = gateway.made(gateway.one("aws:apigateway/domainName:DomainName")).outputs
    balancer = gateway.made(gateway.one("aws:lb/loadBalancer:LoadBalancer")).outputs
    groups = {one.name: gateway.made(one).id for one in gateway.of("aws:ec2/securityGroup:SecurityGroup")}
    assert {**connection, "subnet_ids": sorted(connection["subnet_ids"])} == {
        "version": 1,
        "region": "us-east-1",
        "domain": "example.com",
        "vpc_id": gateway.made(gateway.one("aws:ec2/vpc:Vpc")).id,
        "subnet_ids": sorted(gateway.made(one).id for one in gateway.of("aws:ec2/subnet:Subnet")),
        "listener_arn": gateway.made(gateway.one("aws:lb/listener:Listener")).id,
        "alb_arn_suffix": balancer["arnSuffix"],
        "alb_security_group": groups["gateway-load-balancer"],
        "table": gateway.made(gateway.one("aws:dynamodb/table:Table")).id,
        "zone_id": "Z0123456789ABCDEFGHIJ",
        "api_target": {
            "url": "https://gateway.example.com",
            "name": domain["regionalDomainName"],
            "zone_id": domain["regionalZoneId"],
        },
        "auth": True,
    }


@pytest.mark.parametrize("type", ["aws:lb/loadBalancer:LoadBalancer", "aws:lambda/function:Function"])
def test_whoever_takes_the_subnets_waits_for_their_routes(gateway: Recording, type: str) -> None:
    waited = gateway.waits_for(gateway.one(type))
    routes = [*gateway.of("aws:ec2/route:Route"), *gateway.of("aws:ec2/routeTableAssociation:RouteTableAssociation")]
    assert {one.urn for one in routes} <= waited
