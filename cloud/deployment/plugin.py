"""The packages as resource plugins of the real engine: `python -m cloud.deployment.plugin aws|random`.

Where Pulumi's own plugins are missing, `pulumi` finds these on PATH as `pulumi-resource-aws` and
`pulumi-resource-random` (`found.py` writes them). The engine marks an output as secret if it is a `SecretValue`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from cloud.deployment.aws import Aws, Turn
from cloud.deployment.ending import CloudEnded, end_with_the_cloud
from cloud.deployment.endpoint import without_an_account
from cloud.deployment.engine_plugin import EnginePlugin, difference_response, plain, serve_the_engine
from cloud.deployment.package import Existing, Made, Package, PartlyMade
from cloud.deployment.packages import default_tags
from cloud.deployment.random_bytes import RandomBytes
from cloud.deployment.terraform import finding
from cloud.deployment.terraform.client import ONLINE, provider
from commands.program_monitor import Refused
from commands.property_values import decode, encode

_ENDED: list[CloudEnded] = []
"""Not empty after the end of the cloud that this process deploys into."""


class Served(Package, Protocol):
    """A package with the methods that only the engine calls."""

    def preview(self, type: str, inputs: Mapping[str, Any], there: Existing | None) -> dict[str, Any]: ...
    def read(self, there: Existing) -> Made | None: ...


class Plugin(EnginePlugin):
    """One provider of a program. `configured`: its package, for its settings."""

    def __init__(self, name: str, configured: Callable[[Mapping[str, Any]], Served]) -> None:
        super().__init__(name)
        self._configured = configured
        self._package: Served | None = None

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        with _spoken(context):
            self._package = self._configured(_plain(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        response = provider_pb2.InvokeResponse()
        with _spoken(context):
            package = self._its_package()
            if not isinstance(package, Aws):
                raise Refused(f"nothing here answers {request.tok}")
            getattr(response, "return").CopyFrom(encode(package.call(request.tok, _plain(request.args))))
        return response

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        old = _plain(request.olds) if request.HasField("olds") else None
        logical = request.urn.rpartition("::")[2]
        try:
            inputs = self._its_package().check(request.type, logical, _plain(request.news), old or None)
        except Refused as refused:
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(refused))])
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        with _spoken(context):
            found = self._its_package().difference(_existing(request, request.olds), _plain(request.news))
        return difference_response(found)

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        inputs = _plain(request.properties)
        with _spoken(context):
            package = self._its_package()
            if request.preview:
                return provider_pb2.CreateResponse(properties=encode(package.preview(request.type, inputs, None)))
            made = package.create(request.type, inputs, _timeout("create", request))
        return provider_pb2.CreateResponse(id=made.id, properties=encode(made.outputs))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        with _spoken(context):
            if not request.properties.fields:
                raise Refused("resources that exist already cannot be imported here")
            there = Existing(request.type, request.id, _plain(request.inputs), _plain(request.properties))
            read = self._its_package().read(there)
        if read is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=read.id, properties=encode(read.outputs), inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        inputs = _plain(request.news)
        there = _existing(request, request.olds)
        with _spoken(context):
            package = self._its_package()
            if request.preview:
                return provider_pb2.UpdateResponse(properties=encode(package.preview(request.type, inputs, there)))
            made = package.update(there, inputs, _timeout("update", request))
        return provider_pb2.UpdateResponse(properties=encode(made.outputs))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        with _spoken(context):
            self._its_package().delete(_existing(request, request.properties), _timeout("delete", request))
        return empty_pb2.Empty()

    def _its_package(self) -> Served:
        if self._package is None:
            raise Refused(f"the provider {self.name} is not configured yet")
        return self._package


def main(name: str) -> None:
    """Serve until the engine ends this plugin."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    with contextlib.ExitStack() as stack:
        configured = _random if name == "random" else _aws(stack)
        serve_the_engine(Plugin(name, configured))


def _random(settings: Mapping[str, Any]) -> Served:
    return RandomBytes()


def _aws(stack: contextlib.ExitStack) -> Callable[[Mapping[str, Any]], Served]:
    """HashiCorp's provider starts when the engine configures this plugin: some it starts only to ask for a version. The
    provider ends with the thread that starts it, and threads of the server's pool live as long as the plugin."""
    whole = without_an_account(os.environ)
    environment = {name: value for name, value in whole.items() if name.startswith(("AWS_", "TF_"))}

    def end(ended: CloudEnded) -> None:
        """HashiCorp's provider would go on to ask, so it ends."""
        _ENDED.append(ended)
        stack.close()

    def configured(settings: Mapping[str, Any]) -> Served:
        if (binary := finding.binary()) is None:
            raise Refused(str(finding.problem()))
        try:
            end_with_the_cloud(os.environ, end)
        except CloudEnded as ended:
            raise Refused(str(ended)) from ended
        region = settings.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region is None:
            raise Refused("the AWS provider has no region: neither the program nor aws:region nor AWS_REGION names one")
        turn = Turn(stack.enter_context(provider(binary, environment, ONLINE)))
        return Aws(turn, str(region), default_tags(settings))

    return configured


@contextlib.contextmanager
def _spoken(context: Any) -> Generator[None]:
    """Turn a refusal into the error that the engine shows. The engine keeps a resource that is partly made. After the
    end of the cloud, everything is refused."""
    try:
        if _ENDED:
            raise Refused(str(_ENDED[0]))
        yield
    except PartlyMade as partly:
        failed = provider_pb2.ErrorResourceInitFailed(
            id=partly.made.id, properties=encode(partly.made.outputs), reasons=[str(partly)]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(partly))
        status.details.add().Pack(failed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(partly))
    except Refused as refused:
        context.abort(grpc.StatusCode.UNKNOWN, str(refused))
    except (grpc.RpcError, ValueError):  # of a channel that was closed
        if not _ENDED:
            raise
        context.abort(grpc.StatusCode.UNKNOWN, str(_ENDED[0]))


def _existing(request: Any, outputs: Any) -> Existing:
    return Existing(request.type, request.id, _plain(request.old_inputs), _plain(outputs))


def _timeout(kind: str, request: Any) -> Mapping[str, str]:
    return {kind: f"{request.timeout:.0f}s"} if request.timeout else {}


def _plain(properties: Any) -> dict[str, Any]:
    return plain(decode(properties))


if __name__ == "__main__":
    main(sys.argv[1])
