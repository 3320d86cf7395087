"""The gateway's registry, its function and that one's role."""

from __future__ import annotations

from tests.aws.sample.writing import Resources, assumed_by, policy

_NETWORK = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]

FUNCTION: Resources = (
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
    ("function-role", "aws:iam/role:Role", {"assumeRolePolicy": assumed_by("lambda")}),
    (
        "function-policy",
        "aws:iam/rolePolicy:RolePolicy",
        {"role": "=function-role.name", "policy": policy("dynamodb:Query", *_NETWORK)},
    ),
    (
        "function",
        "aws:lambda/function:Function",
        {
            "role": "=function-role.arn",
            "runtime": "python3.13",
            "handler": "run.sh",
            "architectures": ["arm64"],
            "memorySize": 256,
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
)
