"""Asks Terraform's AWS provider what it says of a resource, and has it make, change, read and delete resources."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from cloud.deployment.terraform.messages import message
from cloud.deployment.terraform.process import running
from cloud.deployment.terraform.values import Attribute, Block, Nested, decoded, encoded, proposed, whole

_ERROR = 1
_NESTING = {1: "single", 2: "list", 3: "set", 4: "map", 5: "single"}
_SECONDS = 60
_LONGEST = 2 * 3600
"""Seconds that a change may take. The provider has shorter limits of its own for each type."""
OFFLINE: Mapping[str, Any] = {
    "access_key": "test",
    "secret_key": "test",
    "skip_credentials_validation": True,
    "skip_metadata_api_check": "true",
    "skip_region_validation": True,
    "skip_requesting_account_id": True,
}
"""With these settings the provider asks nobody anything."""
ONLINE: Mapping[str, Any] = {"max_retries": 3, "s3_use_path_style": True, "skip_metadata_api_check": "true"}
"""With these it asks the endpoint that its environment names, AWS_ENDPOINT_URL, as the account of its environment."""


@dataclass(frozen=True)
class Refusal:
    """An error of the provider."""

    path: str
    """As Terraform writes it, with dots; can be empty."""
    says: str

    def __str__(self) -> str:
        return f"{self.path}: {self.says}" if self.path else self.says


@dataclass(frozen=True)
class Planned:
    """What the provider would do."""

    state: Any
    replacing: frozenset[str]
    """Dotted paths whose change needs a new resource."""
    refusals: tuple[Refusal, ...]
    private: bytes = b""


@dataclass(frozen=True)
class Applied:
    """What the provider has done."""

    state: Mapping[str, Any] | None
    """`None`: there is no such resource any more."""
    refusals: tuple[Refusal, ...]
    private: bytes = b""


class Provider:
    """A running provider, with the schemas of the resource types that it is asked about."""

    def __init__(self, pid: int, channel: grpc.Channel, settings: Mapping[str, Any] = OFFLINE) -> None:
        self.pid = pid
        self._channel = channel
        self._always = settings
        answer = self._ask("GetSchema", "SchemaRequest", "SchemaResponse")
        _no_errors(answer.diagnostics)
        self._schemas = {entry.key: entry.value for entry in answer.resource_schemas}
        self._data_schemas = {entry.key: entry.value for entry in answer.data_source_schemas}
        self._own = _block(answer.provider.block)
        self._blocks: dict[tuple[str, bool], Block] = {}
        self._settings: tuple[str, dict[str, str]] | None = None

    def configure(self, region: str, default_tags: Mapping[str, str] | None = None) -> None:
        """Set what holds for all resources. It can be done again."""
        if (settings := (region, dict(default_tags or {}))) == self._settings:
            return
        self._settings = settings
        tags = [{"tags": dict(default_tags)}] if default_tags else []
        config = whole(self._own, {**self._always, "region": region, "default_tags": tags})
        answer = self._ask(
            "Configure", "ConfigureRequest", "Diagnostics", terraform_version="1.9.0", config=_dynamic(config)
        )
        _no_errors(answer.diagnostics)

    def block(self, type: str) -> Block:
        """The schema of a resource type, `aws_lb`."""
        return self._schema(type, self._schemas, of_data=False)

    def data_block(self, type: str) -> Block:
        """The schema of a data source, `aws_subnets`."""
        return self._schema(type, self._data_schemas, of_data=True)

    def validate(self, type: str, config: Mapping[str, Any]) -> tuple[Refusal, ...]:
        """What is wrong with `config`, a whole object, by itself."""
        answer = self._ask(
            "ValidateResourceTypeConfig", "ValidateRequest", "Diagnostics", type_name=type, config=_dynamic(config)
        )
        return _refusals(answer.diagnostics)

    def plan(
        self, type: str, config: Mapping[str, Any], prior: Mapping[str, Any] | None = None, private: bytes = b""
    ) -> Planned:
        """What would be done to have `config`, where `prior` is the state now (`None`: there is no resource)."""
        answer = self._ask(
            "PlanResourceChange",
            "PlanRequest",
            "PlanResponse",
            type_name=type,
            prior_state=_dynamic(prior),
            proposed_new_state=_dynamic(proposed(self.block(type), config, prior)),
            config=_dynamic(config),
            prior_private=private,
        )
        refusals = _refusals(answer.diagnostics)
        return Planned(
            _state(answer.planned_state),
            frozenset(map(_path, answer.requires_replace)),
            refusals,
            answer.planned_private,
        )

    def apply(
        self,
        type: str,
        config: Mapping[str, Any] | None,
        prior: Mapping[str, Any] | None,
        planned: Mapping[str, Any] | None,
        private: bytes,
    ) -> Applied:
        """Do what was planned. `config` and `planned` are `None` where a resource is deleted."""
        answer = self._ask(
            "ApplyResourceChange",
            "ApplyRequest",
            "ApplyResponse",
            seconds=_LONGEST,
            type_name=type,
            prior_state=_dynamic(prior),
            planned_state=_dynamic(planned),
            config=_dynamic(config),
            planned_private=private,
        )
        return Applied(_state(answer.new_state), _refusals(answer.diagnostics), answer.private)

    def read(self, type: str, state: Mapping[str, Any], private: bytes) -> Applied:
        """What a resource is now."""
        answer = self._ask(
            "ReadResource",
            "ReadRequest",
            "ReadResponse",
            type_name=type,
            current_state=_dynamic(state),
            private=private,
        )
        return Applied(_state(answer.new_state), _refusals(answer.diagnostics), answer.private)

    def read_data(self, type: str, config: Mapping[str, Any]) -> Applied:
        """What a data source finds for `config`, a whole object."""
        answer = self._ask(
            "ReadDataSource", "ReadDataRequest", "ReadDataResponse", type_name=type, config=_dynamic(config)
        )
        return Applied(_state(answer.state), _refusals(answer.diagnostics))

    def _schema(self, type: str, schemas: Mapping[str, Any], *, of_data: bool) -> Block:
        if (type, of_data) not in self._blocks:
            if type not in schemas:
                raise LookupError(f"the provider has no {'data source' if of_data else 'resource type'} {type}")
            self._blocks[type, of_data] = _block(schemas[type].block)
        return self._blocks[type, of_data]

    def _ask(self, method: str, request: str, response: str, *, seconds: int = _SECONDS, **fields: Any) -> Any:
        call = self._channel.unary_unary(
            f"/tfplugin5.Provider/{method}",
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(response).FromString,
        )
        return call(message(request)(**fields), timeout=seconds, wait_for_ready=True)


@contextmanager
def provider(
    binary: Path, environment: Mapping[str, str] | None = None, settings: Mapping[str, Any] = OFFLINE
) -> Generator[Provider]:
    """A provider for the time of the block. `environment`: what it finds there besides."""
    with running(binary, environment) as (pid, channel):
        yield Provider(pid, channel, settings)


def _dynamic(value: Any) -> Any:
    return message("DynamicValue")(msgpack=encoded(value))


def _state(value: Any) -> Any:
    return decoded(value.msgpack) if value.msgpack else None


def _block(block: Any) -> Block:
    return Block(
        attributes={
            one.name: Attribute(one.name, json.loads(one.type), one.required, one.optional, one.computed, one.sensitive)
            for one in block.attributes
        },
        blocks={
            one.type_name: Nested(one.type_name, _block(one.block), _NESTING[one.nesting], one.min_items, one.max_items)
            for one in block.block_types
        },
    )


def _refusals(diagnostics: Any) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(_path(one.attribute), " ".join(f"{one.summary}: {one.detail}".split()).strip(": "))
        for one in diagnostics
        if one.severity == _ERROR
    )


def _no_errors(diagnostics: Any) -> None:
    if refusals := _refusals(diagnostics):
        raise RuntimeError("; ".join(map(str, refusals)))


def _path(path: Any) -> str:
    return ".".join(one.attribute_name or one.element_key_string or str(one.element_key_int) for one in path.steps)
