"""What AWS asks of resources together and no table says: each rule with its source."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.aws.standin.between import GROUP, SUBNET, TEMPLATE
from tests.aws.standin.paths import value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.world import World

LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
_IN_A_BALANCER = 100
"""elasticloadbalancing/latest/application/load-balancer-limits.html: rules, and target groups, of a load balancer."""

Question = Callable[[Records, World, Mapping[str, Any], str], Iterator[Problem]]


def _item_is_new(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """tf dynamodb/table_item.go: PutItem with attribute_not_exists(hash key)."""
    table = records.find("aws:dynamodb/table:Table", "name", inputs["tableName"], region)
    item = json.loads(inputs["item"])
    if table is None:
        return
    for name in ("hashKey", "rangeKey"):
        key = table.outputs.get(name)
        if inputs.get(name) != key:
            yield Problem(name, f"ValidationException: the table's {name} is {key!r}, got {inputs.get(name)!r}")
        kinds = {one["name"]: one["type"] for one in table.outputs.get("attributes", ())}
        if key in item and next(iter(item[key])) != kinds.get(key):
            reason = f"Type mismatch for key {key} expected: {kinds.get(key)} actual: {next(iter(item[key]))}"
            yield Problem("item", f"ValidationException: One or more parameter values were invalid: {reason}")
    mine = item_key(inputs)
    for record in records.of("aws:dynamodb/tableItem:TableItem", region):
        if item_key(record.outputs) == mine:
            yield Problem("", "ConditionalCheckFailedException: The conditional request failed")


def item_key(inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """(table, values of its keys) of a table item."""
    item = json.loads(inputs["item"])
    return (inputs["tableName"], *(item.get(inputs.get(name)) for name in ("hashKey", "rangeKey")))


def item_id(inputs: Mapping[str, Any]) -> str:
    """tf dynamodb/table_item.go buildTableItemID: the table, each key and its value as bytes, text and number."""
    item, parts = json.loads(inputs["item"]), [str(inputs["tableName"])]
    for key in (inputs.get("hashKey"), inputs.get("rangeKey")):
        if key:
            parts += [key, *(str(item[key].get(kind, "")) for kind in ("B", "S", "N"))]
    return "|".join(parts)


def _subnet_fits(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """vpc/latest/userguide/subnet-sizing.html: within the VPC's range, and apart from other subnets."""
    vpc = records.find("aws:ec2/vpc:Vpc", "id", inputs["vpcId"], region)
    if vpc is None or "cidrBlock" not in inputs or "cidrBlock" not in vpc.outputs:
        return
    mine = ipaddress.IPv4Network(inputs["cidrBlock"])
    if not mine.subnet_of(ipaddress.IPv4Network(vpc.outputs["cidrBlock"])):
        yield Problem("cidrBlock", f"InvalidSubnet.Range: The CIDR '{mine}' is invalid.")
    for other in records.of(SUBNET, region):
        if other.outputs["vpcId"] == vpc.id and mine.overlaps(ipaddress.IPv4Network(other.outputs["cidrBlock"])):
            yield Problem("cidrBlock", f"InvalidSubnet.Conflict: The CIDR '{mine}' conflicts with another subnet")


def _zones_differ(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """elbv2 API: CreateLoadBalancer, Subnets."""
    subnets = [one for one in records.of(SUBNET, region) if one.id in inputs.get("subnets", ())]
    zones = [one.outputs.get("availabilityZone") for one in subnets]
    if len(zones) > 1 and len(set(zones)) < len(zones):
        reason = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        yield Problem("subnets", f"InvalidConfigurationRequest: {reason}")
    if len({one.outputs["vpcId"] for one in subnets}) > 1:
        yield Problem("subnets", "InvalidConfigurationRequest: The subnets must be of the same VPC")


def _balancer_takes_one_more(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """load-balancer-limits.html: 100 rules and 100 target groups a load balancer, one load balancer a target group."""
    listener = records.find(LISTENER, "arn", inputs["listenerArn"], region)
    balancer = listener.outputs["loadBalancerArn"] if listener else None
    rules = [one for one in records.of(RULE, region) if _balancer(records, one) == balancer]
    if len(rules) >= _IN_A_BALANCER:
        yield Problem("", "TooManyRules: You have reached the maximum number of rules")
    mine = set(target_groups(inputs))
    if len({group for rule in rules for group in target_groups(rule.outputs)} | mine) > _IN_A_BALANCER:
        yield Problem("", "TooManyTargetGroups: You have reached the maximum number of target groups")
    for other in records.of(RULE, region):
        if mine & set(target_groups(other.outputs)) and _balancer(records, other) != balancer:
            reason = "The following target groups cannot be associated with more than one load balancer"
            yield Problem("actions", f"TargetGroupAssociationLimit: {reason}: {sorted(mine)}")
    if inputs.get("priority") is None and any(one.outputs.get("priority") == 50_000 for one in rules):
        yield Problem("priority", "ValidationError: no priority is left after 50000")


def target_groups(rule: Mapping[str, Any]) -> list[str]:
    paths = ("actions[].targetGroupArn", "actions[].forward.targetGroups[].arn", "defaultActions[].targetGroupArn")
    return [value for path in paths for _, value in values_at(rule, path)]


def _balancer(records: Records, rule: Record) -> str | None:
    listener = records.find(LISTENER, "arn", rule.outputs["listenerArn"], rule.region)
    return listener.outputs["loadBalancerArn"] if listener else None


def _label_is_attached(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """autoscaling API: PredefinedMetricSpecification, ResourceLabel: the group's own target group, behind it."""
    where = "targetTrackingConfiguration.predefinedMetricSpecification.resourceLabel"
    label = value_at(inputs, where)
    group = records.find(GROUP, "name", inputs["autoscalingGroupName"], region)
    if label is None or group is None:
        return
    balancer, _, target = label.partition("/targetgroup/")
    arns = [arn for arn in group.outputs.get("targetGroupArns", ()) if arn.endswith(f":targetgroup/{target}")]
    if not arns:
        yield Problem(where, f"ValidationError: the target group of {label!r} is not attached to the group")
    rules = [
        one
        for kind in (RULE, LISTENER)
        for one in records.of(kind, region)
        if set(arns) & set(target_groups(one.outputs))
    ]
    if arns and not any(f":loadbalancer/{balancer}" in str(_balancer_of(records, one)) for one in rules):
        yield Problem(
            where, f"ValidationError: the target group of {label!r} is behind no listener of that load balancer"
        )


def _balancer_of(records: Records, one: Record) -> str | None:
    return one.outputs.get("loadBalancerArn") or _balancer(records, one)


def _template_has_the_version(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    path = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
    template = records.by_id(TEMPLATE, str(value_at(inputs, f"{path}.launchTemplateId")))
    version = value_at(inputs, f"{path}.version")
    if template and isinstance(version, str) and version.isdigit() and int(version) > template.outputs["latestVersion"]:
        yield Problem(f"{path}.version", f"InvalidLaunchTemplateId.VersionNotFound: there is no version {version}")


def _streams_regionally(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """apigateway/latest/developerguide/response-transfer-mode.html: an EDGE API is cut after 30 s of silence."""
    api = records.by_id("aws:apigateway/restApi:RestApi", inputs["restApi"])
    kind = value_at(api.outputs, "endpointConfiguration.types") if api else None
    if api and inputs.get("responseTransferMode") == "STREAM" and kind in (None, "EDGE"):
        yield Problem("responseTransferMode", "streams of an EDGE API end after 30 s of silence; REGIONAL is needed")
    method = {"restApi", "resourceId", "httpMethod"}
    if not any(
        all(one.outputs.get(name) == inputs[name] for name in method)
        for one in records.of("aws:apigateway/method:Method")
    ):
        yield Problem("httpMethod", "NotFoundException: Invalid Method identifier specified")


def _every_method_is_integrated(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """apigateway API: CreateDeployment."""
    methods = [one for one in records.of("aws:apigateway/method:Method") if one.outputs["restApi"] == inputs["restApi"]]
    if not methods:
        yield Problem("", "BadRequestException: The REST API doesn't contain any methods")
    keys = {_method(one) for one in records.of("aws:apigateway/integration:Integration")}
    if any(_method(one) not in keys for one in methods):
        yield Problem("", "BadRequestException: No integration defined for method")


def _method(record: Record) -> tuple[str, ...]:
    return tuple(str(record.outputs.get(name)) for name in ("restApi", "resourceId", "httpMethod"))


def _logs_have_a_role(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """apigateway/latest/developerguide/set-up-logging.html: the account's setting comes first."""
    wants = inputs.get("accessLogSettings") or value_at(inputs, "settings.loggingLevel") in ("INFO", "ERROR")
    accounts = records.of("aws:apigateway/account:Account", region)
    if wants and not world.api_gateway_role and not any(one.outputs.get("cloudwatchRoleArn") for one in accounts):
        reason = "CloudWatch Logs role ARN must be set in account settings to enable logging"
        yield Problem(
            "accessLogSettings" if "accessLogSettings" in inputs else "settings", f"BadRequestException: {reason}"
        )


def _certificate_is_issued(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """apigateway/latest/developerguide/how-to-custom-domains-prerequisites.html: an issued certificate of the name."""
    arn, name = inputs.get("regionalCertificateArn"), inputs["domainName"]
    certificate = records.find("aws:acm/certificate:Certificate", "arn", arn, region)
    if certificate is None:
        return
    if certificate.outputs.get("status") != "ISSUED":
        yield Problem("regionalCertificateArn", f"BadRequestException: The certificate {arn} is not issued yet")
    names = [certificate.outputs["domainName"], *certificate.outputs.get("subjectAlternativeNames", ())]
    parent = "*." + name.partition(".")[2]
    if name not in names and parent not in names:
        reason = f"The certificate does not cover {name}: its names are {names}"
        yield Problem("regionalCertificateArn", f"BadRequestException: {reason}")


def _validation_records_exist(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """acm/latest/userguide/dns-validation.html: without its record a certificate stays pending."""
    certificate = records.find("aws:acm/certificate:Certificate", "arn", inputs["certificateArn"], region)
    if certificate is None:
        return
    there = {str(one.outputs["name"]).rstrip(".").lower() for one in records.of("aws:route53/record:Record")}
    for option in certificate.outputs["domainValidationOptions"]:
        if option["resourceRecordName"].rstrip(".").lower() not in there:
            reason = f"timeout while waiting for state to become 'ISSUED': no record {option['resourceRecordName']}"
            yield Problem("certificateArn", reason)
    wanted = {option["resourceRecordName"].rstrip(".") for option in certificate.outputs["domainValidationOptions"]}
    given = {name.rstrip(".") for name in inputs.get("validationRecordFqdns", ())}
    if given and wanted - given:
        yield Problem(
            "validationRecordFqdns",
            f"missing {certificate.outputs['domainName']} DNS validation record: {wanted - given}",
        )


def _record_is_in_its_zone(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """route53 API errors NoSuchHostedZone and InvalidChangeBatch: RRSet with DNS name … is not permitted in zone …"""
    zones = {id: name for name, id in world.zones.items()}
    if inputs["zoneId"] not in zones:
        yield Problem("zoneId", f"NoSuchHostedZone: No hosted zone found with ID: {inputs['zoneId']}")
        return
    zone, name = zones[inputs["zoneId"]], inputs["name"].rstrip(".").lower()
    if name != zone and not name.endswith(f".{zone}"):
        yield Problem("name", f"InvalidChangeBatch: RRSet with DNS name {name}. is not permitted in zone {zone}.")
    if name == zone and inputs["type"] == "CNAME":
        yield Problem("type", f"InvalidChangeBatch: RRSet of type CNAME with DNS name {name}. is not permitted at apex")


def _role_may(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions, and who may assume the role."""
    role = records.find("aws:iam/role:Role", "arn", inputs["role"])
    if role is None:
        return
    if "lambda.amazonaws.com" not in role.outputs["assumeRolePolicy"]:
        yield Problem(
            "role", "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."
        )
    if inputs.get("vpcConfig") and not _allowed(records, role, "ec2:CreateNetworkInterface"):
        reason = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
        yield Problem("role", f"InvalidParameterValueException: {reason}")


def _allowed(records: Records, role: Record, action: str) -> bool:
    managed = [
        str(one.outputs["policyArn"])
        for one in records.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if one.outputs["role"] == role.id
    ]
    managed += role.outputs.get("managedPolicyArns", [])
    if any(arn.endswith(("AWSLambdaVPCAccessExecutionRole", "AdministratorAccess")) for arn in managed):
        return True
    policies = [
        one.outputs["policy"] for one in records.of("aws:iam/rolePolicy:RolePolicy") if one.outputs["role"] == role.id
    ]
    policies += [one["policy"] for one in role.outputs.get("inlinePolicies", ()) if "policy" in one]
    for policy in policies:
        statements = json.loads(policy)["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            actions = statement.get("Action", [])
            listed = actions if isinstance(actions, list) else [actions]
            if statement["Effect"] == "Allow" and any(fnmatch.fnmatch(action.lower(), one.lower()) for one in listed):
                return True
    return False


QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "aws:acm/certificateValidation:CertificateValidation": (_validation_records_exist,),
    "aws:apigateway/deployment:Deployment": (_every_method_is_integrated,),
    "aws:apigateway/domainName:DomainName": (_certificate_is_issued,),
    "aws:apigateway/integration:Integration": (_streams_regionally,),
    "aws:apigateway/methodSettings:MethodSettings": (_logs_have_a_role,),
    "aws:apigateway/stage:Stage": (_logs_have_a_role,),
    GROUP: (_template_has_the_version,),
    "aws:autoscaling/policy:Policy": (_label_is_attached,),
    "aws:dynamodb/tableItem:TableItem": (_item_is_new,),
    SUBNET: (_subnet_fits,),
    "aws:lambda/function:Function": (_role_may,),
    "aws:lb/loadBalancer:LoadBalancer": (_zones_differ,),
    RULE: (_balancer_takes_one_more,),
    "aws:route53/record:Record": (_record_is_in_its_zone,),
}
