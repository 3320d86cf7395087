"""A service behind the gateway."""

from __future__ import annotations

import base64
import json

from tests.aws.sample.writing import Resources, assumed_by, policy

SERVICE: Resources = (
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
    ("replica-role", "aws:iam/role:Role", {"assumeRolePolicy": assumed_by("ec2")}),
    (
        "replica-policy",
        "aws:iam/rolePolicy:RolePolicy",
        {"role": "=replica-role.name", "policy": policy("ssm:GetParameter", "logs:PutLogEvents")},
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
            "imageId": "ami-00000000000000000",
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
