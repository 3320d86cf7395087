"""A gateway that was created with AWS's own calls: function, API, domain name, table; and a service behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution
from typing import Any

import boto3

from gateway_lambda.registry.record import Service as Record
from infra.components.api import ACCESS_LOG, BINARY_TYPES, STAGE
from infra.components.api_errors import API_ERRORS
from infra.packaging.archive import stored, zipped
from infra.packaging.contents import START_SCRIPT, gateway_contents, place
from infra.packaging.requirements import read_requirements
from infra.planning.table_items import routing_item
from tests.support.processes import ROOT

REGION = "eu-west-1"
STREAMED, BUFFERED = "2021-11-15/functions/{}/response-streaming-invocations", "2015-03-31/functions/{}/invocations"


def gateway_zip() -> bytes:
    """The gateway's zip, with this environment's packages where the real one has those for Lambda's machine."""
    contents = gateway_contents(ROOT)
    for requirement in read_requirements(ROOT / "requirements-lambda.txt"):
        package = distribution(requirement.pin.partition("==")[0])
        for file in package.files or ():
            if ".." not in file.parts and (placed := place(str(file))) is not None:
                contents[placed] = stored(file.locate().read_bytes())
    return zipped(contents, executable=START_SCRIPT)


def script_zip(text: str) -> bytes:
    """A function that is one script."""
    return zipped({START_SCRIPT: stored(text.encode())}, executable=START_SCRIPT)


@dataclass(frozen=True)
class Cloud:
    """The control plane at a URL."""

    url: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # pyright: ignore[reportArgumentType]
            REGION,
            endpoint_url=self.url,
            aws_access_key_id="a",
            aws_secret_access_key="a",
        )

    @cached_property
    def role(self) -> str:
        document = json.dumps({"Version": "2012-10-17", "Statement": []})
        iam = self.client("iam")
        return iam.create_role(RoleName="function", AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def function(self, name: str, code: bytes, variables: dict[str, str], **more: Any) -> str:
        """Create a function with a log group `/functions/<name>`; return its ARN."""
        self.client("logs").create_log_group(logGroupName=f"/functions/{name}")
        return self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Architectures=["arm64"],
            Role=self.role,
            Handler=START_SCRIPT,
            Code={"ZipFile": code},
            Environment={"Variables": variables},
            LoggingConfig={"LogFormat": "Text", "LogGroup": f"/functions/{name}"},
            **{"MemorySize": 256, "Timeout": 900, **more},
        )["FunctionArn"]

    def gateway(self, name: str, *, upstream: str, domain: str | None, **more: Any) -> str:
        """Create the gateway's function and its table `<name>`."""
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        variables = {
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
            "GATEWAY_REGISTRY": f"dynamodb:{name}",
            "GATEWAY_UPSTREAM": upstream,
            "GATEWAY_PLAIN_TIMEOUT": "285",
            "PORT": "8000",
            **({} if domain is None else {"GATEWAY_DOMAIN": domain}),
        }
        return self.function(name, gateway_zip(), variables, **more)

    def run(self, table: str, record: Record) -> None:
        """Register a run."""
        self.client("dynamodb").put_item(TableName=table, Item=json.loads(routing_item(record)))

    def api(self, name: str, function: str, *, streamed: bool = True, milliseconds: int | None = 900_000) -> str:
        """Create an API with the gateway's two routes, its errors and its stage; return its id."""
        client = self.client("apigateway")
        api = client.create_rest_api(
            name=name, endpointConfiguration={"types": ["REGIONAL"]}, binaryMediaTypes=list(BINARY_TYPES)
        )["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        proxy = client.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/{(STREAMED if streamed else BUFFERED).format(function)}"
        for resource in (root, proxy):
            where = {"restApiId": api, "resourceId": resource, "httpMethod": "ANY"}
            client.put_method(**where, authorizationType="NONE")
            client.put_integration(
                **where,
                type="AWS_PROXY",
                integrationHttpMethod="POST",
                uri=uri,
                responseTransferMode="STREAM" if streamed else "BUFFERED",
                **({} if milliseconds is None else {"timeoutInMillis": milliseconds}),
            )
        for kind, error in API_ERRORS.items():
            client.put_gateway_response(
                restApiId=api,
                responseType=kind,
                responseTemplates={"application/json": error.template},
                responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
                **({} if error.status is None else {"statusCode": error.status}),
            )
        group = f"/access/{name}"
        self.client("logs").create_log_group(logGroupName=group)
        deployment = client.create_deployment(restApiId=api)["id"]
        client.create_stage(restApiId=api, stageName=STAGE, deploymentId=deployment)
        arn = f"arn:aws:logs:{REGION}:123456789012:log-group:{group}"
        self.stage(api, {"/accessLogSettings/destinationArn": arn, "/accessLogSettings/format": json.dumps(ACCESS_LOG)})
        return api

    def stage(self, api: str, values: dict[str, str]) -> None:
        """Change settings of a stage, by their paths."""
        operations = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
        self.client("apigateway").update_stage(restApiId=api, stageName=STAGE, patchOperations=operations)

    def deploy(self, api: str) -> None:
        """Let the stage serve the API as it is now."""
        self.stage(api, {"/deploymentId": self.client("apigateway").create_deployment(restApiId=api)["id"]})

    def domain(self, name: str, api: str) -> None:
        """Let an API answer at a domain name."""
        client = self.client("apigateway")
        arn = f"arn:aws:acm:{REGION}:123456789012:certificate/0000"
        kinds = {"types": ["REGIONAL"]}
        client.create_domain_name(domainName=name, regionalCertificateArn=arn, endpointConfiguration=kinds)
        client.create_base_path_mapping(domainName=name, restApiId=api, stage=STAGE)
