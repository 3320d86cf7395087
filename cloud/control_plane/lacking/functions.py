"""Lambda: what the gateway's function needs and moto drops."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.awslambda import urls
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.ec2.models import ec2_backends
from werkzeug.exceptions import NotFound

from cloud.control_plane.environment import ACCOUNT
from cloud.control_plane.lacking.patching import beside, instead, json_answer

CONCURRENCY = 1000
"""Function instances of an account: an older account's quota (L-B99A9384)."""


@functools.cache
def install() -> None:
    """Patch moto's Lambda."""

    @instead(LambdaFunction, "__init__")
    def made(init: Any, self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
        """moto drops the log group and the log's format."""
        init(self, account_id, spec, region, version)
        self.logging_config = _logging(self.function_name, spec.get("LoggingConfig"))
        self.logs_group_name = self.logging_config["LogGroup"]

    @instead(LambdaFunction, "update_configuration")
    def updated(update: Any, self: Any, changes: dict[str, Any]) -> dict[str, Any]:
        """moto drops the logging configuration here too, and fails where the environment is emptied."""
        if "LoggingConfig" in changes:
            self.logging_config = _logging(self.function_name, changes["LoggingConfig"])
            self.logs_group_name = self.logging_config["LogGroup"]
        if "EphemeralStorage" in changes:
            self.ephemeral_storage = changes["EphemeralStorage"]["Size"]
        if "Environment" in changes:
            changes = {**changes, "Environment": {"Variables": changes["Environment"].get("Variables") or {}}}
        return update(self, changes)

    @instead(LambdaFunction, "get_configuration")
    def shown(show: Any, self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        return {**show(self, *arguments, **named), "LoggingConfig": self.logging_config}

    @instead(LambdaFunction, "_get_layers_data")
    def layers(own: Any, self: Any, arns: list[str]) -> list[dict[str, Any]]:
        """moto has no layers of other accounts, and the adapter's is one. Its content is the machine's own adapter."""
        return [{"Arn": arn, "CodeSize": 0} if _published(arn) else own(self, [arn])[0] for arn in arns]

    def network(self: Any) -> dict[str, Any] | None:
        """moto shows one made-up VPC for every function."""
        if not self._vpc_config:
            return None
        subnets = self._vpc_config.get("SubnetIds") or []
        found = [ec2_backends[ACCOUNT][self.region].get_subnet(subnet).vpc_id for subnet in subnets[:1]]
        return {**self._vpc_config, "VpcId": found[0] if found else ""}

    LambdaFunction.vpc_config = property(network)  # pyright: ignore[reportAttributeAccessIssue]

    # moto's path of a layer asks for a name. An ARN comes as a query, on a path that has an API version of its own.
    urls.url_paths["{0}/2016-08-19/account-settings/?$"] = LambdaResponse.dispatch
    urls.url_paths["{0}/2018-10-31/layers$"] = LambdaResponse.dispatch

    @beside(LambdaResponse, "get_account_settings")
    def account_settings(self: LambdaResponse) -> Any:
        """moto has no account settings of Lambda."""
        functions = list(self.backend.list_functions(None))
        reserved = sum(int(one.reserved_concurrency or 0) for one in functions)
        limit = {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - reserved,
        }
        usage = {"TotalCodeSize": sum(one.code_size for one in functions), "FunctionCount": len(functions)}
        return json_answer(200, {"AccountLimit": limit, "AccountUsage": usage})

    @beside(LambdaResponse, "get_layer_version_by_arn")
    def layer_by_arn(self: LambdaResponse) -> Any:
        """moto has no GetLayerVersionByArn."""
        arn = unquote(self.querystring["Arn"][0])
        if _published(arn):
            name, _, version = arn.rpartition(":")
            return json_answer(
                200,
                {
                    "LayerArn": name,
                    "LayerVersionArn": arn,
                    "Version": int(version),
                    "CompatibleArchitectures": ["arm64"],
                    "Content": {"CodeSize": 0},
                },
            )
        if (own := self.backend.layers_versions_by_arn(arn)) is not None:
            return json_answer(200, own.get_layer_version())
        return 404, {"status": 404, "x-amzn-errortype": "ResourceNotFoundException"}, '{"Message": "no such layer"}'


def listed() -> list[Mapping[str, Any]]:
    """Every function as `/cloud/functions` shows it."""
    return [_shown(region, one) for _, region, backend in lambda_backends.iter_backends() for one in _all(backend)]


def code(region: str, name: str) -> bytes:
    """The zip of a function. Raises `NotFound`."""
    for one in _all(lambda_backends[ACCOUNT][region]):
        if one.function_name == name:
            return one.code_bytes
    raise NotFound(f"no function {name} in {region}")


def _all(backend: Any) -> list[Any]:
    return list(backend.list_functions(None))


def _shown(region: str, function: Any) -> Mapping[str, Any]:
    return {
        "arn": function.function_arn,
        "name": function.function_name,
        "region": region,
        "handler": function.handler,
        "runtime": function.run_time,
        "architecture": function.architectures[0],
        "memory": function.memory_size,
        "timeout": function.timeout,
        "environment": dict(function.environment_vars),
        "layers": [layer["Arn"] for layer in function.layers],
        "log_group": function.logging_config["LogGroup"],
        "log_format": function.logging_config["LogFormat"],
        "role": function.role,
        "code_sha256": function.code_sha_256,
        "concurrency": function.reserved_concurrency,
    }


def _logging(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """AWS's defaults (lambda API: LoggingConfig)."""
    config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}", **(given or {})}
    if config["LogFormat"] == "JSON":
        config = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **config}
    return config


def _published(arn: str) -> bool:
    """Whether an ARN is of a layer version of another account."""
    return arn.count(":") == 7 and arn.split(":")[4] != ACCOUNT
