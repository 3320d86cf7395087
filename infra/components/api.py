"""The API in front of the gateway's function: a regional REST API, the only kind of API that streams responses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.components.api_errors import API_ERRORS

STAGE = "live"
"""Part of every path at the API's own address, and of none at a domain."""
BINARY_TYPES = ("multipart/form-data", "application/octet-stream", "image/*", "audio/*")
"""What reaches the function as base64. JSON stays text: base64 would cut a third off the largest request."""
EVERY_METHOD, OPEN, PROXY, STREAMED = "ANY", "NONE", "AWS_PROXY", "STREAM"
"""Of both routes: HTTP method, authorization (the gateway's own is the function's), integration, response transfer."""
TIMEOUT = 900_000
"""Milliseconds: the most for a streamed response. API Gateway's default is 29 s, streaming or not."""
REQUESTS_A_SECOND, BURST = 1000, 1000
"""What one caller can make the function cost is bounded; Lambda itself runs 1000 instances by default."""
READABLE = {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
"""Lets every web page read an error of the API's own. API Gateway takes a value in single quotes as it is."""
RETENTION_DAYS = 30
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "host": "$context.domainName",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "firstByteAfter": "$context.integration.timeToFirstContent",
    "transfer": "$context.integration.responseTransferMode",
    "error": "$context.error.message",
}
"""No header and no body: keys and prompts are in those."""


@dataclass(frozen=True, kw_only=True)
class ApiArgs:
    """What the API calls, and how callers reach it."""

    function_name: pulumi.Input[str]
    streaming_invoke_arn: pulumi.Input[str]
    own_address: bool
    """Whether the API's own address serves; with a domain it does not."""
    manage_account: bool
    """Whether this stack manages the region's account setting for API Gateway's logs."""
    pages_read_errors: bool
    """Whether web pages can read the API's own errors, which contain nothing secret. Pages of all origins
    can, because API Gateway cannot choose."""


class Api(pulumi.ComponentResource):
    """Every path and method goes to the function, and its response is streamed. The adapter is in its streaming mode,
    so a method that buffers would answer 502. A greedy path does not match the root, so the root has its own method."""

    rest_api: pulumi.Output[str]
    """Its id."""
    name: pulumi.Output[str]
    """As CloudWatch calls it."""
    stage: pulumi.Output[str]
    """The stage's name, known once it is there."""
    own_url: pulumi.Output[str]

    def __init__(self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:api:Api", name, None, opts)
        api = aws.apigateway.RestApi(
            f"{name}-api",
            description="servestack's gateway",
            endpoint_configuration=aws.apigateway.RestApiEndpointConfigurationArgs(types="REGIONAL"),
            binary_media_types=list(BINARY_TYPES),
            disable_execute_api_endpoint=not args.own_address,
            opts=pulumi.ResourceOptions(parent=self),
        )
        proxy = aws.apigateway.Resource(
            f"{name}-any-path",
            rest_api=api.id,
            parent_id=api.root_resource_id,
            path_part="{proxy+}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.lambda_.Permission(
            f"{name}-api",
            action="lambda:InvokeFunction",
            function=args.function_name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(api.execution_arn, "/*/*"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        parts: list[pulumi.Resource] = [
            *self._route(f"{name}-root", api, api.root_resource_id, args),
            *self._route(f"{name}-any-path", api, proxy.id, args),
            *self._errors(name, api, args),
        ]
        deployment = aws.apigateway.Deployment(
            f"{name}-deployment",
            rest_api=api.id,
            triggers={
                "contents": pulumi.Output.from_input(args.streaming_invoke_arn).apply(
                    lambda arn: contents_digest(
                        arn, own_address=args.own_address, pages_read_errors=args.pages_read_errors
                    )
                )
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=parts),
        )
        stage = self._stage(name, api, deployment, permission, args)
        self.rest_api = api.id
        self.name = api.name
        self.stage = stage.stage_name
        self.own_url = stage.invoke_url
        self.register_outputs({"rest_api": self.rest_api, "own_url": self.own_url})

    def _route(
        self, name: str, api: aws.apigateway.RestApi, resource_id: pulumi.Input[str], args: ApiArgs
    ) -> list[pulumi.Resource]:
        method = aws.apigateway.Method(
            name,
            rest_api=api.id,
            resource_id=resource_id,
            http_method=EVERY_METHOD,
            authorization=OPEN,
            opts=pulumi.ResourceOptions(parent=self),
        )
        integration = aws.apigateway.Integration(
            name,
            rest_api=api.id,
            resource_id=resource_id,
            http_method=method.http_method,
            type=PROXY,
            integration_http_method="POST",
            uri=args.streaming_invoke_arn,
            response_transfer_mode=STREAMED,
            timeout_milliseconds=TIMEOUT,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return [method, integration]

    def _errors(self, name: str, api: aws.apigateway.RestApi, args: ApiArgs) -> list[pulumi.Resource]:
        return [
            aws.apigateway.Response(
                f"{name}-{kind.lower().replace('_', '-')}",
                rest_api_id=api.id,
                response_type=kind,
                status_code=error.status,
                response_templates={"application/json": error.template},
                response_parameters=READABLE if args.pages_read_errors else None,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for kind, error in API_ERRORS.items()
        ]

    def _stage(
        self,
        name: str,
        api: aws.apigateway.RestApi,
        deployment: aws.apigateway.Deployment,
        permission: pulumi.Resource,
        args: ApiArgs,
    ) -> aws.apigateway.Stage:
        logs = aws.cloudwatch.LogGroup(
            f"{name}-access",
            name_prefix=f"/servestack/{name}/access-",
            retention_in_days=RETENTION_DAYS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        waits: list[pulumi.Resource] = [permission]
        if args.manage_account:
            waits.append(self._account(name))
        stage = aws.apigateway.Stage(
            f"{name}-stage",
            rest_api=api.id,
            deployment=deployment.id,
            stage_name=STAGE,
            access_log_settings=aws.apigateway.StageAccessLogSettingsArgs(
                destination_arn=logs.arn, format=json.dumps(ACCESS_LOG)
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=waits),
        )
        aws.apigateway.MethodSettings(
            f"{name}-stage",
            rest_api=api.id,
            stage_name=stage.stage_name,
            method_path="*/*",
            settings=aws.apigateway.MethodSettingsSettingsArgs(
                metrics_enabled=True,
                logging_level="OFF",
                data_trace_enabled=False,
                throttling_rate_limit=REQUESTS_A_SECOND,
                throttling_burst_limit=BURST,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return stage

    def _account(self, name: str) -> pulumi.Resource:
        """The setting that the logs of every API in the account and region need. It stays when the stack is destroyed,
        because other APIs can write their logs with it."""
        role = aws.iam.Role(
            f"{name}-api-logs",
            assume_role_policy=policies.assumed_by("apigateway"),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        attachment = aws.iam.RolePolicyAttachment(
            f"{name}-api-logs",
            role=role.name,
            policy_arn=role.arn.apply(
                lambda arn: policies.of_aws("service-role/AmazonAPIGatewayPushToCloudWatchLogs", arn)
            ),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return aws.apigateway.Account(
            f"{name}-api-logs",
            cloudwatch_role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment], retain_on_delete=True),
        )


def contents_digest(streaming_invoke_arn: str, *, own_address: bool, pages_read_errors: bool) -> str:
    """Return a digest of everything that is deployed with the API, so that each change makes a new deployment. The
    switch for the API's own address also needs a deployment to take effect (apigateway:
    rest-api-disable-default-endpoint)."""
    errors = {kind: [error.status, error.template] for kind, error in API_ERRORS.items()}
    route = [streaming_invoke_arn, EVERY_METHOD, OPEN, PROXY, STREAMED, TIMEOUT]
    contents = [route, own_address, list(BINARY_TYPES), errors, READABLE if pages_read_errors else None]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()
