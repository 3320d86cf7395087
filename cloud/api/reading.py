"""Reads what is deployed from the control plane, through AWS's own API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from cloud.api.deployed import CustomResponse, Deployment, Integration, Names, Route, Stage

KEY = "cloud"
"""Credentials that nobody checks."""
_SETTINGS = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30)
_FUNCTION = re.compile(r":lambda:path/[^/]+/functions/(arn:[^/]+)/(response-streaming-invocations|invocations)$")
_UNSET = 29_000
"""Milliseconds that an API waits if nothing else was set, for streamed responses too (PutIntegration)."""
_HEADER = "gatewayresponse.header."


class Clients:
    """Clients of the control plane for each service and region."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Any = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY)
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """Return the client. Only one thread at a time can use it."""
        key = service, region
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service, region_name=region, endpoint_url=self._url, config=_SETTINGS
            )
        return self._clients[key]


class Reader:
    """Reads names and stages. It reads an API itself only when a stage gets another deployment, which is a copy of the
    API as it was then."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._deployments: dict[tuple[str, str, str], Deployment] = {}

    def read(self, regions: Iterable[str]) -> Names:
        """Return everything that is deployed in these regions. Raises what boto3 raises."""
        domains: dict[str, Mapping[str, Stage]] = {}
        own: dict[str, Mapping[str, Stage]] = {}
        used: set[tuple[str, str, str]] = set()
        for region in sorted(set(regions)):
            client = self._clients.client("apigateway", region)
            stages: dict[tuple[str, str], Stage] = {}
            for api in _all(client, "get_rest_apis", "items"):
                for found in client.get_stages(restApiId=api["id"])["item"]:
                    key = region, api["id"], found["deploymentId"]
                    used.add(key)
                    if key not in self._deployments:
                        self._deployments[key] = _deployment(client, api)
                    stages[api["id"], found["stageName"]] = _stage(region, api, found, self._deployments[key])
                address = f"{api['id']}.execute-api.{region}.amazonaws.com"
                own[address] = {stage: each for (id, stage), each in stages.items() if id == api["id"]}
            for domain in _all(client, "get_domain_names", "items"):
                mappings = _all(client, "get_base_path_mappings", "items", domainName=domain["domainName"])
                domains[domain["domainName"].lower()] = {
                    base: stages[each["restApiId"], each["stage"]]
                    for each in mappings
                    if (each["restApiId"], each.get("stage", "")) in stages
                    for base in ["" if each.get("basePath", "(none)") == "(none)" else each["basePath"]]
                }
        self._deployments = {key: each for key, each in self._deployments.items() if key in used}
        return Names(domains, own)


def _all(client: Any, call: str, member: str, **given: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for page in client.get_paginator(call).paginate(**given):
        found += page.get(member, [])
    return found


def _deployment(client: Any, api: Mapping[str, Any]) -> Deployment:
    routes = [
        Route(resource["id"], resource["path"], method, integration)
        for resource in _all(client, "get_resources", "items", restApiId=api["id"], embed=["methods"])
        for method in resource.get("resourceMethods", {})
        if (integration := _integration(client, api["id"], resource, method)) is not None
    ]
    responses = {
        each["responseType"]: _custom(each)
        for each in client.get_gateway_responses(restApiId=api["id"])["items"]
        if not each.get("defaultResponse")
    }
    own_address = not api.get("disableExecuteApiEndpoint", False)
    return Deployment(routes, api.get("binaryMediaTypes") or [], responses, own_address)


def _custom(found: Mapping[str, Any]) -> CustomResponse:
    parameters: Mapping[str, str] = found.get("responseParameters") or {}
    headers = {
        name.removeprefix(_HEADER): value.strip("'") for name, value in parameters.items() if name.startswith(_HEADER)
    }
    return CustomResponse(found.get("statusCode") or None, found.get("responseTemplates") or {}, headers)


def _integration(client: Any, api: str, resource: Mapping[str, Any], method: str) -> Integration | None:
    """Return the integration of a method; `None`: it has none, or the integration is not a function."""
    given: Mapping[str, Any] = resource["resourceMethods"][method] or {}
    where = {"restApiId": api, "resourceId": resource["id"], "httpMethod": method}
    found: Mapping[str, Any] = given.get("methodIntegration") or client.get_integration(**where)
    function = _FUNCTION.search(found.get("uri") or "")
    if found.get("type") != "AWS_PROXY" or function is None:
        return None
    # API Gateway refuses an address that streams without STREAM, and the other way round.
    streamed = function[2] == "response-streaming-invocations"
    return Integration(function[1], streamed, int(found.get("timeoutInMillis") or _UNSET) / 1000)


def _stage(region: str, api: Mapping[str, Any], found: Mapping[str, Any], deployment: Deployment) -> Stage:
    methods: Mapping[str, Mapping[str, Any]] = found.get("methodSettings") or {}
    settings: Mapping[str, Any] = methods.get("*/*", {})
    log: Mapping[str, str] = found.get("accessLogSettings") or {}
    group = log.get("destinationArn")
    return Stage(
        api["id"],
        api["name"],
        region,
        found["stageName"],
        deployment,
        found.get("variables") or {},
        settings.get("throttlingRateLimit", Stage.rate),
        settings.get("throttlingBurstLimit", Stage.burst),
        group.split(":")[6] if group else None,
        log.get("format") or "",
    )
