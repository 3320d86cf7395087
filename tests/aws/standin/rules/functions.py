"""Lambda functions and who may invoke them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from commands.property_values import FileValue
from tests.aws.standin.paths import given, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules
from tests.aws.standin.rules.permissions import operations

_RESERVED = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ]
)
"""lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime: reserved, setting them is refused."""

_ZIPPED, _UNZIPPED = 50 * 1024 * 1024, 250 * 1024 * 1024
"""lambda/latest/dg/gettingstarted-limits.html: a package uploaded directly, and unzipped together with its layers."""


def _environment_fits(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """gettingstarted-limits.html: 4 KB for all environment variables together."""
    variables = value_at(inputs, "environment.variables")
    if variables is None:
        return
    known = {key: value for key, value in variables.items() if isinstance(value, str)}
    size = len(json.dumps(known, separators=(",", ":"), ensure_ascii=False).encode())
    if size > 4096:
        reason = "Lambda was unable to configure your environment variables because the environment variables you have"
        yield Problem("environment.variables", f"{reason} provided exceeded the 4KB limit: {size} bytes")
    if reserved := sorted(_RESERVED & variables.keys()):
        reason = "Reserved keys used in this request"
        yield Problem("environment.variables", f"{reason}: {', '.join(reserved)}")


def _levels_are_of_json_logs(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html: levels are for logs in the format JSON."""
    for name in ("applicationLogLevel", "systemLogLevel"):
        if given(inputs, f"loggingConfig.{name}") and value_at(inputs, "loggingConfig.logFormat") == "Text":
            reason = "InvalidParameterValueException: log levels can be set with the log format JSON only"
            yield Problem(f"loggingConfig.{name}", reason)


def _zip_has_runtime_and_handler(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """lambda/latest/api/API_CreateFunction.html: required if the deployment package is a .zip file archive."""
    if value_at(inputs, "packageType") == "Image":
        return
    for name in ("runtime", "handler"):
        if not given(inputs, name):
            yield Problem(name, "handler and runtime must be set when PackageType is Zip")


def _package_can_start(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """The package that is uploaded: its size, and, for a handler that a wrapper executes, the file and its mode bits.

    The Lambda Web Adapter's /opt/bootstrap is `exec -- "${LAMBDA_TASK_ROOT}/${_HANDLER}"`.
    """
    code = value_at(inputs, "code")
    if not isinstance(code, FileValue):
        return
    if code.path is None or not code.path.endswith(".zip"):
        wrapped = value_at(inputs, "environment.variables.AWS_LAMBDA_EXEC_WRAPPER") is not None
        if wrapped:
            reason = "an archive that the engine zips has no mode bits, so the start script would not be executable"
            yield Problem("code", f"{reason} (pulumi sdk/go/common/resource/archive)")
        return
    path = Path(code.path)
    if not path.is_file():
        yield Problem("code", f"couldn't read archive path '{path}': no such file or directory")
        return
    if path.stat().st_size > _ZIPPED:
        yield Problem("code", f"Request must be smaller than {_ZIPPED} bytes, the package has {path.stat().st_size}")
    with zipfile.ZipFile(path) as archive:
        if (unzipped := sum(member.file_size for member in archive.infolist())) > _UNZIPPED:
            yield Problem("code", f"Unzipped size must be smaller than {_UNZIPPED} bytes, it is {unzipped}")
        yield from _start_script(inputs, archive)


def _start_script(inputs: Mapping[str, Any], archive: zipfile.ZipFile) -> Iterator[Problem]:
    handler = value_at(inputs, "handler")
    if value_at(inputs, "environment.variables.AWS_LAMBDA_EXEC_WRAPPER") != "/opt/bootstrap" or handler is None:
        return
    if handler not in archive.namelist():
        yield Problem("handler", f"Runtime.InvalidEntrypoint: the package has no file {handler!r}")
        return
    if not (archive.getinfo(handler).external_attr >> 16) & 0o111:
        yield Problem("handler", f"Runtime.InvalidEntrypoint: {handler!r} of the package is not executable")
    if b"\r\n" in archive.read(handler):
        yield Problem("handler", f"Runtime.InvalidEntrypoint: {handler!r} of the package has CRLF line endings")


def _layers_fit_the_architecture(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """aws-lambda-web-adapter README: LambdaAdapterLayerArm64 and LambdaAdapterLayerX86. Lambda does not check."""
    architecture = (value_at(inputs, "architectures") or ["x86_64"])[0]
    for index, layer in enumerate(value_at(inputs, "layers") or ()):
        other = "X86" if architecture == "arm64" else "Arm64"
        if f"LambdaAdapterLayer{other}:" in layer:
            yield Problem(
                f"layers[{index}]", f"a layer for {other} in a function for {architecture}: exec format error"
            )


def _network_is_whole(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """lambda/latest/dg/configuration-vpc.html: subnets and security groups go together."""
    if not given(inputs, "vpcConfig"):
        return
    empty = [name for name in ("subnetIds", "securityGroupIds") if value_at(inputs, f"vpcConfig.{name}") == []]
    if len(empty) == 1:
        yield Problem(f"vpcConfig.{empty[0]}", "SubnetIds and SecurityIds must coexist or be both empty list.")


def _gateway_is_named(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """lambda API: AddPermission. Without a source, every API of every account could invoke the function."""
    if value_at(inputs, "principal") == "apigateway.amazonaws.com":
        source = value_at(inputs, "sourceArn")
        if not given(inputs, "sourceArn"):
            yield Problem("sourceArn", "any API Gateway of any account could invoke the function")
        elif source is not None and ":execute-api:" not in source:
            yield Problem("sourceArn", f"{source!r} is no execution ARN, so the gateway's calls would be refused")


def _action_is_one(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """lambda API: AddPermission, Action."""
    action = value_at(inputs, "action")
    if action is not None and action != "*" and action.partition(":")[2].lower() not in operations()["lambda"] | {"*"}:
        yield Problem("action", f"InvalidParameterValueException: {action!r} is no action of Lambda")


RULES: Rules = {
    "aws:lambda/function:Function": (
        _environment_fits,
        _zip_has_runtime_and_handler,
        _package_can_start,
        _layers_fit_the_architecture,
        _network_is_whole,
        _levels_are_of_json_logs,
    ),
    "aws:lambda/permission:Permission": (_gateway_is_named, _action_is_one),
}
