"""What every resource plugin answers the real engine in the same way (provider.proto).

The engine finds a plugin on PATH as `pulumi-resource-NAME`. It starts one for each of a program's providers and reads a
port from its standard output.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from commands.property_values import decode, without_secrets_marked

_SDK = {"aws": "pulumi_aws", "random": "pulumi_random"}
_AT_ONCE = 16


class Found(Protocol):
    """What differs between a resource and what a program wants."""

    @property
    def changed(self) -> Sequence[str]: ...
    @property
    def replacing(self) -> Sequence[str]: ...
    @property
    def delete_first(self) -> bool: ...


class EnginePlugin(provider_pb2_grpc.ResourceProviderServicer):
    """A plugin of the package `name`, with the version of its SDK. Subclasses know its resources.

    Secrets are not accepted. So the engine marks outputs as their inputs are."""

    def __init__(self, name: str) -> None:
        self.name = name

    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version(_SDK[self.name]))

    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:
        schema = {"name": self.name, "version": version(_SDK[self.name])}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        old, new = decode(request.old_inputs), decode(request.news)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[name for name in changed if name == "region"],
        )

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()


def difference_response(found: Found) -> provider_pb2.DiffResponse:
    """Return what the engine is told of a difference: for each property, whether it changes or replaces."""
    kinds = provider_pb2.PropertyDiff
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found.changed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=found.changed,
        replaces=found.replacing,
        deleteBeforeReplace=found.delete_first,
        detailedDiff={
            name: kinds(kind=kinds.UPDATE_REPLACE if name in found.replacing else kinds.UPDATE, inputDiff=True)
            for name in found.changed
        },
        hasDetailedDiff=True,
    )


def serve(plugin: EnginePlugin) -> tuple[grpc.Server, int]:
    """Return (server, port) of a plugin on loopback."""
    server = grpc.server(ThreadPoolExecutor(max_workers=_AT_ONCE), options=[("grpc.max_receive_message_length", -1)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve_the_engine(plugin: EnginePlugin) -> None:
    """Serve for as long as the engine is there, which ends its plugins itself."""
    server, port = serve(plugin)
    print(port, flush=True)
    engine = os.getppid()
    while os.getppid() == engine:
        server.wait_for_termination(timeout=1)


def plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties without the marks of secrets."""
    return {key: without_secrets_marked(value) for key, value in properties.items()}
