"""API Gateway: integrations and their streaming, domain names, stages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from commands.property_values import UNKNOWN
from tests.aws.standin.paths import given, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_LAMBDA = re.compile(
    r"arn:aws:apigateway:[a-z0-9-]+:lambda:path/(?P<date>[\d-]+)/functions/"
    r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w:$-]+/(?P<verb>[a-z-]+)"
)
_STREAMING = ("2021-11-15", "response-streaming-invocations")
_BUFFERED = ("2015-03-31", "invocations")


def _transfer_matches_invocation(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway/latest/developerguide/response-transfer-mode-lambda.html; terraform-provider-aws issue 45649."""
    uri = value_at(inputs, "uri")
    if not isinstance(uri, str) or not str(inputs.get("type")).startswith("AWS"):
        return
    found = _LAMBDA.fullmatch(uri)
    if found is None:
        if ":lambda:" in uri:
            yield Problem("uri", "BadRequestException: Invalid ARN specified in the request")
        return
    streams = value_at(inputs, "responseTransferMode") == "STREAM"
    wanted = _STREAMING if streams else _BUFFERED
    if (found["date"], found["verb"]) != wanted:
        mode = "STREAM" if streams else "BUFFERED"
        reason = (
            f"BadRequestException: Invalid ResponseTransferMode: {mode} needs an ARN path/{wanted[0]}/…/{wanted[1]}"
        )
        yield Problem("responseTransferMode", reason)


def _lambda_is_posted_to(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf apigateway/integration.go docs: Lambda can only be invoked via POST; AWS types need the method and the URI."""
    if value_at(inputs, "type") not in ("AWS", "AWS_PROXY"):
        return
    method = value_at(inputs, "integrationHttpMethod")
    if not given(inputs, "integrationHttpMethod"):
        yield Problem(
            "integrationHttpMethod", "BadRequestException: Enumeration value for HttpMethod must be non-empty"
        )
    elif method is not None and method != "POST":
        yield Problem("integrationHttpMethod", f"a Lambda function is invoked with POST, got {method!r}")
    if not given(inputs, "uri"):
        yield Problem("uri", "BadRequestException: Uri should be provided for AWS integrations")


def _streams_only_through_proxies(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway/latest/developerguide/response-transfer-mode.html."""
    if value_at(inputs, "responseTransferMode") != "STREAM":
        return
    if value_at(inputs, "type") in ("AWS", "HTTP", "MOCK"):
        yield Problem("type", "response streaming is supported with AWS_PROXY and HTTP_PROXY only")
    for name in ("contentHandling", "cacheKeyParameters", "cacheNamespace"):
        if given(inputs, name):
            yield Problem(name, "is not supported with responseTransferMode STREAM")


def _timeout_is_within_the_mode(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf apigateway/integration.go: 50 to 300000 ms where buffered, to 900000 where streamed; the default is 29000."""
    timeout = value_at(inputs, "timeoutMilliseconds")
    most = 900_000 if value_at(inputs, "responseTransferMode") == "STREAM" else 300_000
    if timeout is not None and timeout > most and inputs.get("responseTransferMode") != UNKNOWN:
        yield Problem("timeoutMilliseconds", f"Timeout should be between 50 ms and {most} ms, got {timeout}")


def _vpc_link_has_an_id(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway API: PutIntegration, connectionId: used only if and required when connectionType is VPC_LINK."""
    linked = value_at(inputs, "connectionType") == "VPC_LINK"
    if linked != given(inputs, "connectionId"):
        yield Problem("connectionId", "is required with connectionType VPC_LINK, and only there")


def _certificate_fits_the_endpoint(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway API: CreateDomainName. A regional name takes a regional certificate; without a type it is EDGE."""
    kind = value_at(inputs, "endpointConfiguration.types") or "EDGE"
    if kind == "REGIONAL" and not given(inputs, "regionalCertificateArn"):
        yield Problem(
            "regionalCertificateArn", "BadRequestException: a certificate is needed for a regional domain name"
        )
    if kind == "EDGE" and given(inputs, "regionalCertificateArn"):
        reason = "BadRequestException: Cannot specify a regional certificate for an edge-optimized domain name"
        yield Problem("endpointConfiguration.types", reason)
    if (
        value_at(inputs, "securityPolicy") == "TLS_1_0"
        and kind == "REGIONAL"
        and given(inputs, "mutualTlsAuthentication")
    ):
        yield Problem("securityPolicy", "mutual TLS needs TLS_1_2")
    if given(inputs, "endpointAccessMode") and not str(inputs.get("securityPolicy")).startswith("SecurityPolicy_"):
        yield Problem("endpointAccessMode", "is only supported with a SecurityPolicy_ security policy")


def _custom_methods_have_an_authorizer(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway API: PutMethod."""
    if value_at(inputs, "authorization") in ("CUSTOM", "COGNITO_USER_POOLS") and not given(inputs, "authorizerId"):
        yield Problem("authorizerId", "BadRequestException: Invalid authorizer ID specified")


def _mapping_is_complete(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """apigateway/latest/developerguide/rest-api-mappings.html: a mapping without a stage makes callers name it."""
    if not given(inputs, "stageName"):
        yield Problem("stageName", "without a stage, callers must name it in the path; every route would be one off")


RULES: Rules = {
    "aws:apigateway/integration:Integration": (
        _transfer_matches_invocation,
        _lambda_is_posted_to,
        _streams_only_through_proxies,
        _timeout_is_within_the_mode,
        _vpc_link_has_an_id,
    ),
    "aws:apigateway/method:Method": (_custom_methods_have_an_authorizer,),
    "aws:apigateway/domainName:DomainName": (_certificate_fits_the_endpoint,),
    "aws:apigateway/basePathMapping:BasePathMapping": (_mapping_is_complete,),
}
