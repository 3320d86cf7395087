"""The monitor that a Pulumi program talks to instead of the engine. It keeps registrations and calls as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import alias_pb2, engine_pb2, resource_pb2

from commands.property_values import Properties, PropertyValue, SecretValue, UnknownValue, decode, encode, holds

STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE = "pulumi:pulumi:StackReference"
READ_STACK_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""The engine's function that a StackReference is a resource of."""

_Registered = resource_pb2.RegisterResourceRequest


class Refused(Exception):
    """A resource or a call that is not possible. `str()` says why, in the words of the provider or of AWS."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A resource that the program registered. The names of properties are those of the engine (camelCase)."""

    urn: str
    type: str
    name: str
    custom: bool
    """Whether a provider makes it; a component is not custom."""
    parent: str
    """The parent's URN."""
    inputs: Properties
    dependencies: tuple[str, ...]
    """URNs of all it waits for: `depends_on` and what its inputs are made of, sorted."""
    property_dependencies: Mapping[str, tuple[str, ...]]
    """URNs that each property is made of, sorted."""
    provider: str
    """The explicit provider as `URN::id`, or nothing."""
    protect: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    replacement_trigger: PropertyValue
    """The engine replaces the resource when this changes; `None`: there is nothing of that kind."""
    delete_before_replace: bool | None
    """`None`: the provider decides."""
    retain_on_delete: bool
    deleted_with: str
    """The URN whose deletion takes this one with it, or nothing."""
    additional_secret_outputs: tuple[str, ...]
    aliases: tuple[str, ...]
    """Each as its URN, or as `type name parent` of what differs."""
    timeouts: Mapping[str, str]
    """By `create`, `update` and `delete`."""
    version: str
    """The provider's version that the SDK asks for."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A function of a provider that the program called, such as aws:index/getCallerIdentity:getCallerIdentity."""

    token: str
    arguments: Properties
    provider: str


class Answers(Protocol):
    """The answers of a provider. Each method can raise `Refused`."""

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        """Return the id and all outputs of a resource. The id is `None` while it is not known."""
        ...

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        """Return the outputs of something that exists already, such as a StackReference."""
        ...

    def call(self, call: Call) -> Properties:
        """Return the result of a function."""
        ...


class ProgramMonitor(MockMonitor):
    """The engine's side of a run. Calls arrive one at a time, not in the thread of the program."""

    def __init__(self, answers: Answers, project: str, stack: str) -> None:
        self._answers = answers
        self._project = project
        self._stack = stack
        self._failed: set[str] = set()
        self.registrations: list[Registration] = []
        self.calls: list[Call] = []
        self.outputs: dict[str, Properties] = {}
        """By URN: what components and the stack registered as theirs."""
        self.refusals: list[tuple[str, str]] = []
        """(URN, why). A refused call is not among them: it raises in the program, which may know what to do."""

    def RegisterResource(self, request: _Registered) -> resource_pb2.RegisterResourceResponse:
        urn = self._urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        registration = _registration(urn, request)
        if self._failed.intersection((*registration.dependencies, registration.parent)):
            return self._failure(urn)
        if any(known.urn == urn for known in self.registrations):
            self.refusals.append((urn, f"Duplicate resource URN '{urn}'; try giving it a unique name"))
            return self._failure(urn)
        self.registrations.append(registration)
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        try:
            made, state = self._answers.create(registration)
        except Refused as refused:
            self.refusals.append((urn, str(refused)))
            return self._failure(urn)
        state = {key: _secret_where(key, value, registration) for key, value in state.items()}
        return resource_pb2.RegisterResourceResponse(urn=urn, id=made or "", object=encode(state))

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        urn = self._urn(request.parent, request.type, request.name)
        try:
            state = self._answers.read(request.type, request.name, request.id, decode(request.properties))
        except Refused as refused:
            self.refusals.append((urn, str(refused)))
            raise _AsFromEngine(str(refused)) from refused
        return resource_pb2.ReadResourceResponse(urn=urn, properties=encode(state))

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        call = Call(token=request.tok, arguments=decode(request.args), provider=request.provider)
        self.calls.append(call)
        response = resource_pb2.ResourceInvokeResponse()
        try:
            getattr(response, "return").CopyFrom(encode(self._answer(call)))
        except Refused as refused:
            raise _AsFromEngine(str(refused)) from refused
        return response

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:
        self.outputs[request.urn] = decode(request.outputs)
        return empty_pb2.Empty()

    def _answer(self, call: Call) -> Properties:
        if call.token != READ_STACK_OUTPUTS:
            return self._answers.call(call)
        name = str(call.arguments["name"])
        return self._answers.read(STACK_REFERENCE, name, name, call.arguments)

    def _urn(self, parent: str, type: str, name: str) -> str:
        """Return the URN as the engine writes it: the types of the parents, without the stack, come before the type."""
        qualified = parent.split("::")[2] if parent else STACK_TYPE
        types = type if qualified == STACK_TYPE else f"{qualified}${type}"
        return f"urn:pulumi:{self._stack}::{self._project}::{types}::{name}"

    def _failure(self, urn: str) -> resource_pb2.RegisterResourceResponse:
        """Return an answer without outputs. As with the engine, the program continues, and what depends on them is
        skipped."""
        self._failed.add(urn)
        return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)


class _AsFromEngine(grpc.RpcError):
    """A refusal in the form that the SDK gets from the engine. A program can catch the refusal of a call, and
    continue."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


class SilentEngine:
    """Takes the program's log and prints nothing. `hear`: gets each message, except the SDK's own debug messages."""

    def __init__(self, hear: Callable[[str], None] | None = None) -> None:
        self._hear = hear
        self.messages: list[tuple[str, str]] = []
        """(severity, message), severity being `info`, `warning` or `error`."""

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        if request.severity != engine_pb2.LogSeverity.DEBUG:
            self.messages.append((engine_pb2.LogSeverity.Name(request.severity).lower(), request.message))
            if self._hear is not None:
                self._hear(request.message)
        return empty_pb2.Empty()


def _registration(urn: str, request: _Registered) -> Registration:
    timeouts = request.customTimeouts
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=decode(request.object),
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={key: tuple(sorted(of.urns)) for key, of in request.propertyDependencies.items()},
        provider=request.provider,
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        replacement_trigger=decode(struct_pb2.Struct(fields={"it": request.replacement_trigger})).get("it")
        if request.HasField("replacement_trigger")
        else None,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=tuple(_alias(alias) for alias in cast("Iterable[alias_pb2.Alias]", request.aliases)),
        timeouts={
            when: value
            for when, value in (("create", timeouts.create), ("update", timeouts.update), ("delete", timeouts.delete))
            if value
        },
        version=request.version,
    )


def _alias(alias: alias_pb2.Alias) -> str:
    return alias.urn or f"{alias.spec.type} {alias.spec.name} {alias.spec.parentUrn}".strip()


def _secret_where(key: str, value: PropertyValue, registration: Registration) -> PropertyValue:
    """Return an output, marked as secret if the SDK names it as secret, or if the input of its name is secret."""
    secret = key in registration.additional_secret_outputs or holds(registration.inputs.get(key), SecretValue)
    return SecretValue(value) if secret and not isinstance(value, (SecretValue, UnknownValue)) else value
