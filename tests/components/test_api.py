"""The gateway's API and its domain, asserted on what the program asked for."""

from __future__ import annotations

import json

from tests.aws.recording import Recording


def test_the_api_is_regional_and_keeps_json_as_text(gateway: Recording) -> None:
    api = gateway.one("aws:apigateway/restApi:RestApi").inputs
    assert api["endpointConfiguration"] == {"types": "REGIONAL"}
    assert api["binaryMediaTypes"] == ["multipart/form-data", "application/octet-stream", "image/*", "audio/*"]
    assert api["disableExecuteApiEndpoint"] is True
    assert "minimumCompressionSize" not in api, "compression is not possible for streamed responses"


def test_root_and_every_path_stream_from_the_function_for_fifteen_minutes(gateway: Recording) -> None:
    api = gateway.made(gateway.one("aws:apigateway/restApi:RestApi"))
    proxy = gateway.one("aws:apigateway/resource:Resource")
    assert proxy.inputs["pathPart"] == "{proxy+}"
    resources = {api.outputs["rootResourceId"], gateway.made(proxy).id}
    methods = gateway.of("aws:apigateway/method:Method")
    assert {(one.inputs["resourceId"], one.inputs["httpMethod"], one.inputs["authorization"]) for one in methods} == {
        (resource, "ANY", "NONE") for resource in resources
    }
    streaming = gateway.made(gateway.one("aws:lambda/function:Function")).outputs["responseStreamingInvokeArn"]
    integrations = gateway.of("aws:apigateway/integration:Integration")
    assert {one.inputs["resourceId"] for one in integrations} == resources
    for integration in integrations:
        assert {name: integration.inputs[name] for name in integration.inputs if name != "resourceId"} == {
            "restApi": api.id,
            "httpMethod": "ANY",
            "type": "AWS_PROXY",
            "integrationHttpMethod": "POST",
            "uri": streaming,
            "responseTransferMode": "STREAM",
            "timeoutMilliseconds": 900_000,
        }


def test_only_this_api_may_invoke_the_function(gateway: Recording) -> None:
    permission = gateway.one("aws:lambda/permission:Permission").inputs
    execution = gateway.made(gateway.one("aws:apigateway/restApi:RestApi")).outputs["executionArn"]
    assert permission["action"] == "lambda:InvokeFunction"
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert permission["sourceArn"] == f"{execution}/*/*"


def test_the_api_s_own_errors_have_openai_s_shape(gateway: Recording) -> None:
    responses = {one.inputs["responseType"]: one.inputs for one in gateway.of("aws:apigateway/response:Response")}
    assert responses.keys() == {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
    }
    for inputs in responses.values():
        body = inputs["responseTemplates"]["application/json"].replace("$context.error.messageString", '"said"')
        assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
        assert inputs["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
    assert {kind: inputs.get("statusCode") for kind, inputs in responses.items() if "statusCode" in inputs} == {
        "INTEGRATION_FAILURE": "502",
        "INTEGRATION_TIMEOUT": "504",
        "REQUEST_TOO_LARGE": "413",
        "THROTTLED": "429",
    }


def test_a_deployment_waits_for_everything_that_it_deploys(gateway: Recording) -> None:
    waited = gateway.waits_for(gateway.one("aws:apigateway/deployment:Deployment"))
    parts = [
        one.urn
        for one in gateway.resources
        if one.type.startswith("aws:apigateway/")
        and one.type.partition("/")[2].split(":")[0] in ("method", "integration", "response", "resource")
    ]
    assert len(parts) == 11
    assert set(parts) <= waited


def test_the_stage_logs_every_request_without_headers_or_bodies(gateway: Recording) -> None:
    stage = gateway.one("aws:apigateway/stage:Stage")
    settings = stage.inputs["accessLogSettings"]
    log = gateway.one("aws:cloudwatch/logGroup:LogGroup", "gateway-access")
    assert settings["destinationArn"] == gateway.made(log).outputs["arn"]
    written = json.loads(settings["format"])
    assert written["requestId"] == "$context.requestId"
    assert all(value.startswith("$context.") for value in written.values())
    assert gateway.one("aws:apigateway/account:Account").urn in gateway.waits_for(stage)
    assert gateway.one("aws:lambda/permission:Permission").urn in gateway.waits_for(stage)


def test_the_stage_is_throttled_and_traces_no_data(gateway: Recording) -> None:
    settings = gateway.one("aws:apigateway/methodSettings:MethodSettings").inputs
    assert settings["methodPath"] == "*/*"
    assert settings["settings"] == {
        "metricsEnabled": True,
        "loggingLevel": "OFF",
        "dataTraceEnabled": False,
        "throttlingRateLimit": 1000,
        "throttlingBurstLimit": 1000,
    }


def test_a_wildcard_certificate_is_validated_in_the_zone_before_the_domain_uses_it(gateway: Recording) -> None:
    certificate = gateway.one("aws:acm/certificate:Certificate")
    assert certificate.inputs == {"domainName": "*.example.com", "validationMethod": "DNS"}
    (asked,) = gateway.made(certificate).outputs["domainValidationOptions"]
    record = gateway.one("aws:route53/record:Record", "gateway-certificate")
    assert (record.inputs["name"], record.inputs["type"], record.inputs["records"], record.inputs["zoneId"]) == (
        asked["resourceRecordName"],
        asked["resourceRecordType"],
        [asked["resourceRecordValue"]],
        "Z0123456789ABCDEFGHIJ",
    )
    assert (record.inputs["allowOverwrite"], record.retain_on_delete) == (True, True)
    domain = gateway.one("aws:apigateway/domainName:DomainName")
    assert gateway.one("aws:acm/certificateValidation:CertificateValidation").urn in gateway.waits_for(domain)
    assert domain.inputs == {
        "domainName": "*.example.com",
        "regionalCertificateArn": gateway.made(certificate).outputs["arn"],
        "endpointConfiguration": {"types": "REGIONAL"},
        "securityPolicy": "TLS_1_2",
    }


def test_the_domain_leads_to_the_stage_and_only_the_gateway_has_a_record_yet(gateway: Recording) -> None:
    mapping = gateway.one("aws:apigateway/basePathMapping:BasePathMapping").inputs
    assert (mapping["domainName"], mapping["stageName"]) == ("*.example.com", "live")
    assert "basePath" not in mapping
    domain = gateway.made(gateway.one("aws:apigateway/domainName:DomainName")).outputs
    record = gateway.one("aws:route53/record:Record", "gateway-gateway").inputs
    assert record == {
        "zoneId": "Z0123456789ABCDEFGHIJ",
        "name": "gateway.example.com",
        "type": "A",
        "aliases": [
            {
                "name": domain["regionalDomainName"],
                "zoneId": domain["regionalZoneId"],
                "evaluateTargetHealth": False,
            }
        ],
    }
