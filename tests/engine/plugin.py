"""The stand-in for AWS as a resource plugin of the real engine: `python -m tests.engine.plugin aws|random`.

The engine starts `pulumi-resource-aws` from PATH, which is this, reads a port from its standard output and speaks the
resource provider protocol (provider.proto). The account lies in a folder that SERVESTACK_STAND_IN names, so that each
run of the CLI, and each of the two plugins, finds what the one before it made; a lock on it keeps them apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from cloud.deployment.engine_plugin import EnginePlugin, difference_response, plain, serve_the_engine
from commands.program_monitor import Refused
from commands.property_values import FileValue, decode, encode
from tests.aws.standin import Cloud, NotAccepted, World, sdk
from tests.aws.standin.differences import difference
from tests.aws.standin.providers import PREFIX, default_tags, provider_region

FOLDER = "SERVESTACK_STAND_IN"
"""The variable that names the account's folder: `records.json`, and WORLD if a test wants another."""

WORLD = "world.json"


class Provider(EnginePlugin):
    """One configured provider."""

    def __init__(self, package: str, folder: Path) -> None:
        super().__init__(package)
        self._folder = folder
        self._region: str | None = None
        self._tags: Mapping[str, str] = {}

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        try:
            provider_region(f"{PREFIX}{self.name}", decode(request.news))
        except NotAccepted as refused:
            return provider_pb2.CheckResponse(failures=_failures(refused))
        return super().CheckConfig(request, context)

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:
        """The engine was told of a plugin that runs already. All its providers share that one, so the one that names
        a region decides; that a default provider has none shows only where the engine starts plugins itself.
        """
        return empty_pb2.Empty()

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        settings = decode(request.args)
        self._region = provider_region(f"{PREFIX}{self.name}", settings) or self._region
        self._tags = default_tags(settings) or self._tags
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        arguments = plain(decode(request.args))
        with self._account() as account, _spoken(context):
            region = account.region(arguments.pop("region", None) or self._region)
            answer = account.call(request.tok, arguments, region)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(answer))
        return response

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        old = plain(decode(request.olds)) if request.HasField("olds") else None
        try:
            with self._account() as account:
                news = plain(decode(request.news))
                inputs = account.checked(request.type, request.urn, news, old or None, tags=self._tags)
                self._region_of(account, request.type, inputs)
        except Refused as refused:
            return provider_pb2.CheckResponse(failures=_failures(refused))
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        found = difference(request.type, _by_contents(decode(request.old_inputs)), _by_contents(decode(request.news)))
        return difference_response(found)

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        inputs = plain(decode(request.properties))
        with self._account() as account, _spoken(context):
            if request.preview:
                return provider_pb2.CreateResponse(properties=encode(account.preview(request.type, inputs)))
            region = self._region_of(account, request.type, inputs)
            made = account.create(request.type, request.urn, inputs, region)
        return provider_pb2.CreateResponse(id=made.id, properties=encode(made.outputs))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        with self._account() as account:
            record = account.records.by_id(request.type, request.id)
        if record is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=record.id, properties=encode(record.outputs), inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        inputs = plain(decode(request.news))
        with self._account() as account, _spoken(context):
            if request.preview:
                known = plain(decode(request.olds))
                return provider_pb2.UpdateResponse(
                    properties=encode(account.preview(request.type, inputs, known=known))
                )
            changed = account.update(request.type, request.id, inputs)
        return provider_pb2.UpdateResponse(properties=encode(changed.outputs))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        with self._account() as account, _spoken(context):
            account.delete(request.type, request.id)
        return empty_pb2.Empty()

    def _region_of(self, account: Cloud, type: str, inputs: Mapping[str, Any]) -> str:
        own = inputs.get("region")
        return account.region(own if isinstance(own, str) else self._region) if type.startswith("aws:") else "global"

    @contextlib.contextmanager
    def _account(self) -> Generator[Cloud]:
        """The account, alone, written back when nothing was refused."""
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            records = self._folder / "records.json"
            account = Cloud.load(records, _world(self._folder))
            yield account
            account.save(records)


def stand_in(package: str, folder: Path) -> Provider:
    """Return the plugin for the account in `folder`."""
    sdk.import_all()
    return Provider(package, folder)


@contextlib.contextmanager
def _spoken(context: Any) -> Generator[None]:
    """A refusal becomes the error that the engine shows."""
    try:
        yield
    except Refused as refused:
        context.abort(grpc.StatusCode.UNKNOWN, str(refused))


def _failures(refused: Refused) -> list[provider_pb2.CheckFailure]:
    problems = refused.problems if isinstance(refused, NotAccepted) else ()
    if not problems:
        return [provider_pb2.CheckFailure(reason=str(refused))]
    return [provider_pb2.CheckFailure(property=one.property, reason=one.reason) for one in problems]


def _by_contents(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Files are the same when their contents are, wherever they lie."""
    return {
        key: replace(value, path=None) if isinstance(value, FileValue) and value.hash else value
        for key, value in plain(properties).items()
    }


def _world(folder: Path) -> World | None:
    described = folder / WORLD
    return msgspec.json.decode(described.read_bytes(), type=World) if described.exists() else None


if __name__ == "__main__":
    serve_the_engine(stand_in(sys.argv[1], Path(os.environ[FOLDER])))
