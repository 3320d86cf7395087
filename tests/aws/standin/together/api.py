"""The API: methods and integrations, deployments, logs, domain names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.together import Questions
from tests.aws.standin.world import World


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


def _role_is_the_gateways(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """apigateway/latest/developerguide/set-up-logging.html: API Gateway assumes the role of its logs."""
    role = records.find("aws:iam/role:Role", "arn", inputs.get("cloudwatchRoleArn"))
    if role is not None and "apigateway.amazonaws.com" not in role.outputs["assumeRolePolicy"]:
        reason = "The role ARN does not have required permissions set to API Gateway"
        yield Problem("cloudwatchRoleArn", f"BadRequestException: {reason}")


QUESTIONS: Questions = {
    "aws:apigateway/account:Account": (_role_is_the_gateways,),
    "aws:apigateway/deployment:Deployment": (_every_method_is_integrated,),
    "aws:apigateway/domainName:DomainName": (_certificate_is_issued,),
    "aws:apigateway/integration:Integration": (_streams_regionally,),
    "aws:apigateway/methodSettings:MethodSettings": (_logs_have_a_role,),
    "aws:apigateway/stage:Stage": (_logs_have_a_role,),
}
