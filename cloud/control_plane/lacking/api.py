"""API Gateway: what the gateway's API needs and moto drops."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.apigateway import urls
from moto.apigateway.models import APIGatewayBackend, DomainName, Integration, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from cloud.control_plane.lacking.patching import beside, instead, json_answer


@functools.cache
def install() -> None:
    """Patch moto's API Gateway."""

    @instead(APIGatewayResponse, "setup_class")
    def names_with_a_star(setup: Any, self: Any, *arguments: Any, **named: Any) -> None:
        """The provider writes `*.example.com` as `%2A.example.com` in paths, and moto looks for that."""
        setup(self, *arguments, **named)
        if self.path.startswith(("/domainnames/", "/v2/domainnames/")):
            self.path = self.path.replace("%2A", "*")

    @instead(APIGatewayBackend, "create_domain_name")
    def no_mappings_yet(create: Any, self: Any, domain_name: str, *arguments: Any, **named: Any) -> Any:
        """Until the first mapping, moto fails when it is asked for them. After a deletion it still has the old ones."""
        made = create(self, domain_name, *arguments, **named)
        self.base_path_mappings[domain_name] = {}
        return made

    @instead(APIGatewayResponse, "create_rest_api")
    def binary_types(create: Any, self: Any) -> Any:
        """moto takes binary media types only from updates."""
        status, headers, body = create(self)
        if status == 200 and (types := self._get_param("binaryMediaTypes")):
            api = self.backend.get_rest_api(json.loads(body)["id"])
            api.binaryMediaTypes = list(types)
            body = json.dumps(api.to_dict())
        return status, headers, body

    @instead(RestAPI, "apply_patch_operations")
    def api_patches(apply: Any, self: Any, operations: list[dict[str, Any]]) -> None:
        """moto reads binary types out of the value, where AWS has them in the path, and `false` as true."""
        for operation in operations:
            path, value = operation["path"], operation.get("value", "")
            if path.startswith("/binaryMediaTypes/"):
                kind = path.removeprefix("/binaryMediaTypes/").replace("~1", "/").replace("~0", "~")
                self.binaryMediaTypes = [one for one in self.binaryMediaTypes if one != kind]
                if operation["op"] != "remove":
                    self.binaryMediaTypes.append(value if operation["op"] == "replace" else kind)
            elif path == "/disableExecuteApiEndpoint":
                self.disableExecuteApiEndpoint = value == "true"
            elif path == "/minimumCompressionSize":
                self.minimum_compression_size = int(value) if value else None
            else:
                apply(self, [operation])

    @instead(APIGatewayResponse, "put_integration")
    def transfer_mode(put: Any, self: Any) -> Any:
        """moto drops the way in which responses are transferred, which decides whether they stream."""
        answer = put(self)
        if answer[0] != 201:
            return answer
        _, _, api, _, resource, _, method, *_ = self.path.split("/")
        integration = self.backend.get_integration(api, resource, method)
        integration.response_transfer_mode = self._get_param("responseTransferMode") or "BUFFERED"
        integration.timeout_in_millis = integration.timeout_in_millis or 29_000
        integration.cache_namespace = integration.cache_namespace or resource
        return json_answer(201, integration.to_json())

    @instead(Integration, "to_json")
    def shown_mode(shown: Any, self: Any) -> dict[str, Any]:
        return {**shown(self), "responseTransferMode": getattr(self, "response_transfer_mode", "BUFFERED")}

    @beside(APIGatewayResponse, "update_integration")
    def update_integration(self: Any) -> Any:
        """moto has no UpdateIntegration."""
        _, _, api, _, resource, _, method, *_ = self.path.split("/")
        integration = self.backend.get_integration(api, resource, method)
        for operation in self._get_param("patchOperations"):
            name, convert = _INTEGRATION.get(operation["path"], ("", str))
            if not name or operation["op"] != "replace":
                raise NotImplementedError(f"{operation['op']} {operation['path']}")
            setattr(integration, name, convert(operation["value"]))
        return json_answer(200, integration.to_json())

    @beside(APIGatewayResponse, "update_domain_name")
    def update_domain_name(self: Any) -> Any:
        """moto has no UpdateDomainName."""
        domain: DomainName = self.backend.get_domain_name(self.path.split("/")[2])
        for operation in self._get_param("patchOperations"):
            name = _DOMAIN.get(operation["path"])
            if name is None or operation["op"] != "replace":
                raise NotImplementedError(f"{operation['op']} {operation['path']}")
            setattr(domain, name, operation["value"])
        return json_answer(200, domain.to_json())

    # moto tags stages only, and its path takes no ARN that is not one part.
    urls.url_paths["{0}/tags/(?P<resource_arn>.+)$"] = APIGatewayResponse.dispatch

    @instead(APIGatewayResponse, "tag_resource")
    def tag(_: Any, self: Any) -> Any:
        _tagged(self).tags = {**(_tagged(self).tags or {}), **self._get_param("tags")}
        return json_answer(204, {})

    @instead(APIGatewayResponse, "untag_resource")
    def untag(_: Any, self: Any) -> Any:
        gone = self.querystring.get("tagKeys") or []
        _tagged(self).tags = {key: value for key, value in (_tagged(self).tags or {}).items() if key not in gone}
        return json_answer(204, {})

    @instead(APIGatewayResponse, "get_tags")
    def tags(_: Any, self: Any) -> Any:
        return json_answer(200, {"tags": _tagged(self).tags or {}})


_INTEGRATION: Mapping[str, tuple[str, Any]] = {
    "/responseTransferMode": ("response_transfer_mode", str),
    "/timeoutInMillis": ("timeout_in_millis", int),
    "/uri": ("uri", str),
    "/httpMethod": ("http_method", str),
    "/passthroughBehavior": ("passthrough_behaviour", str),
    "/credentials": ("credentials", str),
}
_DOMAIN: Mapping[str, str] = {
    "/securityPolicy": "security_policy",
    "/regionalCertificateArn": "regional_certificate_arn",
}


def _tagged(response: Any) -> Any:
    """The API, stage or domain name that a path names by its ARN."""
    parts = unquote(response.path.partition("/tags/")[2]).split("/")
    backend = response.backend
    if parts[1] == "domainnames":
        return backend.get_domain_name(parts[2])
    if len(parts) > 3 and parts[3] == "stages":
        return backend.get_stage(parts[2], parts[4])
    if parts[1] == "restapis":
        return backend.get_rest_api(parts[2])
    raise NotImplementedError(f"tags of {'/'.join(parts)}")
