"""The gateway's API, its domain, and what watches it."""

from __future__ import annotations

import json

from tests.aws.sample.writing import REGION, Resources, assumed_by

API: Resources = (
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
    ("logs-role", "aws:iam/role:Role", {"assumeRolePolicy": assumed_by("apigateway")}),
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
