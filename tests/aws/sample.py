"""A gateway and a service as plain inputs, in the order in which they are made: right by every rule of the stand-in.

`=network.id` stands for an output of a resource above. Tests plant one wrong value in it and look who refuses.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.aws.planting import Planted, plant
from tests.aws.standin import Cloud

REGION = "eu-central-1"
_IMAGE = "ami-00000000000000000"

_ASSUME = {
    service: json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    for service in ("lambda", "ec2", "apigateway")
}
_NETWORK = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]


def _policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


GATEWAY: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("network", "aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"Name": "llm"}}),
    ("gateway", "aws:ec2/internetGateway:InternetGateway", {"vpcId": "=network.id"}),
    ("routes", "aws:ec2/routeTable:RouteTable", {"vpcId": "=network.id"}),
    (
        "out",
        "aws:ec2/route:Route",
        {"routeTableId": "=routes.id", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "=gateway.id"},
    ),
    (
        "subnet-a",
        "aws:ec2/subnet:Subnet",
        {
            "vpcId": "=network.id",
            "cidrBlock": "10.0.0.0/20",
            "availabilityZone": "eu-central-1a",
            "mapPublicIpOnLaunch": True,
        },
    ),
    (
        "subnet-b",
        "aws:ec2/subnet:Subnet",
        {"vpcId": "=network.id", "cidrBlock": "10.0.16.0/20", "availabilityZone": "eu-central-1b"},
    ),
    (
        "association",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        {"routeTableId": "=routes.id", "subnetId": "=subnet-a.id"},
    ),
    (
        "endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {
            "vpcId": "=network.id",
            "serviceName": "com.amazonaws.eu-central-1.dynamodb",
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["=routes.id"],
        },
    ),
    (
        "balancer-group",
        "aws:ec2/securityGroup:SecurityGroup",
        {"vpcId": "=network.id", "description": "Requests from the function"},
    ),
    (
        "function-group",
        "aws:ec2/securityGroup:SecurityGroup",
        {"vpcId": "=network.id", "description": "The gateway's function".replace("'", "")},
    ),
    (
        "into-balancer",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "securityGroupId": "=balancer-group.id",
            "referencedSecurityGroupId": "=function-group.id",
            "ipProtocol": "tcp",
            "fromPort": 80,
            "toPort": 80,
        },
    ),
    (
        "out-of-function",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        {"securityGroupId": "=function-group.id", "cidrIpv4": "0.0.0.0/0", "ipProtocol": "-1"},
    ),
    (
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "internal": True,
            "loadBalancerType": "application",
            "subnets": ["=subnet-a.id", "=subnet-b.id"],
            "securityGroups": ["=balancer-group.id"],
            "idleTimeout": 905,
        },
    ),
    (
        "listener",
        "aws:lb/listener:Listener",
        {
            "loadBalancerArn": "=balancer.arn",
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [
                {
                    "type": "fixed-response",
                    "fixedResponse": {
                        "contentType": "application/json",
                        "messageBody": '{"error": {"message": "no such run"}}',
                        "statusCode": "404",
                    },
                }
            ],
        },
    ),
    (
        "table",
        "aws:dynamodb/table:Table",
        {
            "billingMode": "PAY_PER_REQUEST",
            "hashKey": "pk",
            "rangeKey": "sk",
            "attributes": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
            "ttl": {"attributeName": "expires", "enabled": True},
        },
    ),
    ("function-logs", "aws:cloudwatch/logGroup:LogGroup", {"name": "/llm/gateway", "retentionInDays": 30}),
    ("function-role", "aws:iam/role:Role", {"assumeRolePolicy": _ASSUME["lambda"]}),
    (
        "function-policy",
        "aws:iam/rolePolicy:RolePolicy",
        {"role": "=function-role.name", "policy": _policy("dynamodb:Query", *_NETWORK)},
    ),
    (
        "function",
        "aws:lambda/function:Function",
        {
            "role": "=function-role.arn",
            "runtime": "python3.13",
            "handler": "run.sh",
            "architectures": ["arm64"],
            "memorySize": 512,
            "timeout": 900,
            "layers": ["arn:aws:lambda:eu-central-1:753240598075:layer:LambdaAdapterLayerArm64:30"],
            "s3Bucket": "packages",
            "s3Key": "gateway.zip",
            "environment": {
                "variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "GATEWAY_REGISTRY": "dynamodb:x"}
            },
            "vpcConfig": {
                "subnetIds": ["=subnet-a.id", "=subnet-b.id"],
                "securityGroupIds": ["=function-group.id"],
            },
            "loggingConfig": {"logFormat": "Text", "logGroup": "=function-logs.name"},
        },
    ),
    (
        "api",
        "aws:apigateway/restApi:RestApi",
        {
            "endpointConfiguration": {"types": "REGIONAL"},
            "binaryMediaTypes": ["multipart/form-data", "application/octet-stream", "image/*", "audio/*"],
        },
    ),
    (
        "permission",
        "aws:lambda/permission:Permission",
        {
            "action": "lambda:InvokeFunction",
            "function": "=function.name",
            "principal": "apigateway.amazonaws.com",
            "sourceArn": "=api.executionArn+/*/*",
        },
    ),
    (
        "proxy",
        "aws:apigateway/resource:Resource",
        {"restApi": "=api.id", "parentId": "=api.rootResourceId", "pathPart": "{proxy+}"},
    ),
    (
        "method",
        "aws:apigateway/method:Method",
        {"restApi": "=api.id", "resourceId": "=proxy.id", "httpMethod": "ANY", "authorization": "NONE"},
    ),
    (
        "integration",
        "aws:apigateway/integration:Integration",
        {
            "restApi": "=api.id",
            "resourceId": "=proxy.id",
            "httpMethod": "ANY",
            "type": "AWS_PROXY",
            "integrationHttpMethod": "POST",
            "uri": "=function.responseStreamingInvokeArn",
            "responseTransferMode": "STREAM",
            "timeoutMilliseconds": 900000,
        },
    ),
    (
        "errors",
        "aws:apigateway/response:Response",
        {
            "restApiId": "=api.id",
            "responseType": "DEFAULT_5XX",
            "responseTemplates": {"application/json": '{"error": {"message": $context.error.messageString}}'},
        },
    ),
    ("deployment", "aws:apigateway/deployment:Deployment", {"restApi": "=api.id", "triggers": {"of": "1"}}),
    ("logs-role", "aws:iam/role:Role", {"assumeRolePolicy": _ASSUME["apigateway"]}),
    ("account", "aws:apigateway/account:Account", {"cloudwatchRoleArn": "=logs-role.arn"}),
    (
        "stage",
        "aws:apigateway/stage:Stage",
        {
            "restApi": "=api.id",
            "deployment": "=deployment.id",
            "stageName": "gateway",
            "accessLogSettings": {
                "destinationArn": "=function-logs.arn",
                "format": '{"id": "$context.requestId", "status": "$context.status"}',
            },
        },
    ),
    (
        "throttling",
        "aws:apigateway/methodSettings:MethodSettings",
        {
            "restApi": "=api.id",
            "stageName": "=stage.stageName",
            "methodPath": "*/*",
            "settings": {"throttlingRateLimit": 100, "throttlingBurstLimit": 200, "loggingLevel": "OFF"},
        },
    ),
    (
        "certificate",
        "aws:acm/certificate:Certificate",
        {"domainName": "example.com", "subjectAlternativeNames": ["*.example.com"], "validationMethod": "DNS"},
    ),
    (
        "validation-record",
        "aws:route53/record:Record",
        {
            "zoneId": "Z0123456789ABCDEFGHIJ",
            "name": "=certificate.domainValidationOptions.0.resourceRecordName",
            "type": "CNAME",
            "ttl": 300,
            "records": ["=certificate.domainValidationOptions.0.resourceRecordValue"],
        },
    ),
    (
        "validation",
        "aws:acm/certificateValidation:CertificateValidation",
        {"certificateArn": "=certificate.arn", "validationRecordFqdns": ["=validation-record.fqdn"]},
    ),
    (
        "domain",
        "aws:apigateway/domainName:DomainName",
        {
            "domainName": "*.example.com",
            "regionalCertificateArn": "=validation.certificateArn",
            "endpointConfiguration": {"types": "REGIONAL"},
            "securityPolicy": "TLS_1_2",
        },
    ),
    (
        "mapping",
        "aws:apigateway/basePathMapping:BasePathMapping",
        {"domainName": "=domain.domainName", "restApi": "=api.id", "stageName": "=stage.stageName"},
    ),
    (
        "name",
        "aws:route53/record:Record",
        {
            "zoneId": "Z0123456789ABCDEFGHIJ",
            "name": "gateway.example.com",
            "type": "A",
            "aliases": [
                {
                    "name": "=domain.regionalDomainName",
                    "zoneId": "=domain.regionalZoneId",
                    "evaluateTargetHealth": False,
                }
            ],
        },
    ),
    ("key", "random:index/randomBytes:RandomBytes", {"length": 32}),
    (
        "dashboard",
        "aws:cloudwatch/dashboard:Dashboard",
        {
            "dashboardName": "llm",
            "dashboardBody": json.dumps(
                {"widgets": [{"type": "metric", "width": 12, "properties": {"region": REGION, "metrics": []}}]}
            ),
        },
    ),
)

SERVICE: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    (
        "claim",
        "aws:dynamodb/tableItem:TableItem",
        {
            "tableName": "=table.name",
            "hashKey": "pk",
            "rangeKey": "sk",
            "item": json.dumps({"pk": {"S": "registry"}, "sk": {"S": "claim#cat"}, "owner": {"S": "cat"}}),
        },
    ),
    (
        "token",
        "aws:ssm/parameter:Parameter",
        {"name": "/llm/cat/HUGGING_FACE_HUB_TOKEN", "type": "SecureString", "value": "hf_x"},
    ),
    ("replica-role", "aws:iam/role:Role", {"assumeRolePolicy": _ASSUME["ec2"]}),
    (
        "replica-policy",
        "aws:iam/rolePolicy:RolePolicy",
        {"role": "=replica-role.name", "policy": _policy("ssm:GetParameter", "logs:PutLogEvents")},
    ),
    ("profile", "aws:iam/instanceProfile:InstanceProfile", {"role": "=replica-role.name"}),
    (
        "replica-group",
        "aws:ec2/securityGroup:SecurityGroup",
        {"vpcId": "=network.id", "description": "Replicas of cat"},
    ),
    (
        "into-replica",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "securityGroupId": "=replica-group.id",
            "referencedSecurityGroupId": "=balancer-group.id",
            "ipProtocol": "tcp",
            "fromPort": 8000,
            "toPort": 8000,
        },
    ),
    (
        "targets",
        "aws:lb/targetGroup:TargetGroup",
        {
            "port": 8000,
            "protocol": "HTTP",
            "targetType": "instance",
            "vpcId": "=network.id",
            "deregistrationDelay": 900,
            "loadBalancingAlgorithmType": "least_outstanding_requests",
            "healthCheck": {
                "path": "/health",
                "matcher": "200",
                "interval": 10,
                "timeout": 5,
                "healthyThreshold": 2,
                "unhealthyThreshold": 3,
            },
        },
    ),
    (
        "rule",
        "aws:lb/listenerRule:ListenerRule",
        {
            "listenerArn": "=listener.arn",
            "conditions": [{"hostHeader": {"values": ["cat.example.com"]}}],
            "actions": [{"type": "forward", "targetGroupArn": "=targets.arn"}],
        },
    ),
    (
        "template",
        "aws:ec2/launchTemplate:LaunchTemplate",
        {
            "imageId": _IMAGE,
            "userData": base64.b64encode(b"#!/bin/bash\n").decode(),
            "iamInstanceProfile": {"arn": "=profile.arn"},
            "networkInterfaces": [{"associatePublicIpAddress": "true", "securityGroups": ["=replica-group.id"]}],
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 100, "volumeType": "gp3", "encrypted": "true"}}
            ],
            "tagSpecifications": [{"resourceType": "instance", "tags": {"Name": "cat"}}],
            "updateDefaultVersion": True,
        },
    ),
    (
        "group",
        "aws:autoscaling/group:Group",
        {
            "minSize": 1,
            "maxSize": 4,
            "vpcZoneIdentifiers": ["=subnet-a.id", "=subnet-b.id"],
            "targetGroupArns": ["=targets.arn"],
            "healthCheckType": "ELB",
            "healthCheckGracePeriod": 1800,
            "waitForCapacityTimeout": "0",
            "mixedInstancesPolicy": {
                "launchTemplate": {
                    "launchTemplateSpecification": {"launchTemplateId": "=template.id", "version": "1"},
                    "overrides": [{"instanceType": "g6.xlarge"}, {"instanceType": "g5.xlarge"}],
                },
                "instancesDistribution": {
                    "onDemandBaseCapacity": 1,
                    "onDemandPercentageAboveBaseCapacity": 0,
                    "spotAllocationStrategy": "price-capacity-optimized",
                },
            },
            "instanceRefresh": {
                "strategy": "Rolling",
                "preferences": {"minHealthyPercentage": 100, "maxHealthyPercentage": 200, "instanceWarmup": "60"},
            },
            "tags": [{"key": "Name", "value": "cat", "propagateAtLaunch": True}],
        },
    ),
    (
        "scaling",
        "aws:autoscaling/policy:Policy",
        {
            "autoscalingGroupName": "=group.name",
            "policyType": "TargetTrackingScaling",
            "targetTrackingConfiguration": {
                "targetValue": 600.0,
                "predefinedMetricSpecification": {
                    "predefinedMetricType": "ALBRequestCountPerTarget",
                    "resourceLabel": "=balancer.arnSuffix+/+=targets.arnSuffix",
                },
            },
        },
    ),
    (
        "alarm",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        {
            "namespace": "AWS/ApplicationELB",
            "metricName": "UnHealthyHostCount",
            "statistic": "Maximum",
            "period": 60,
            "evaluationPeriods": 5,
            "comparisonOperator": "GreaterThanThreshold",
            "threshold": 0,
            "treatMissingData": "notBreaching",
            "dimensions": {"LoadBalancer": "=balancer.arnSuffix", "TargetGroup": "=targets.arnSuffix"},
        },
    ),
)


def deploy(cloud: Cloud, planted: Planted | None = None) -> None:
    """Make all of it, with one value that is not right if `planted` says so."""
    made: dict[str, Mapping[str, Any]] = {}
    for name, type, inputs in (*GATEWAY, *SERVICE):
        given = {key: _filled(value, made) for key, value in inputs.items()}
        if planted is not None and planted.resource == name:
            given = plant(given, planted.path, _filled(planted.value, made))
        urn = f"urn:pulumi:sample::servestack::{type}::{name}"
        checked = cloud.checked(type, urn, given)
        record = cloud.create(type, urn, checked, REGION if type.startswith("aws:") else "global")
        made[name] = {**record.outputs, "id": record.id}


def _filled(value: Any, made: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, made) for item in value]
    if not isinstance(value, str) or not value.startswith("="):
        return value
    return "".join(_output(part, made) for part in value.split("+"))


def _output(part: str, made: Mapping[str, Mapping[str, Any]]) -> str:
    if not part.startswith("="):
        return part
    name, *path = part[1:].split(".")
    value: Any = made[name]
    for step in path:
        value = value[int(step)] if step.isdigit() else value[step]
    return value
