"""Asks Terraform's AWS provider what it says of a resource."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.provider.messages import message
from tests.provider.process import running
from tests.provider.values import Attribute, Block, Nested, decoded, encoded, proposed, whole

_ERROR = 1
_NESTING = {1: "single", 2: "list", 3: "set", 4: "map", 5: "single"}
_SECONDS = 60
_OFFLINE = {
    "access_key": "test",
    "secret_key": "test",
    "skip_credentials_validation": True,
    "skip_metadata_api_check": "true",
    "skip_region_validation": True,
    "skip_requesting_account_id": True,
}
"""With these settings the provider asks nobody anything."""


@dataclass(frozen=True)
class Refusal:
    """An error of the provider."""

    path: str
    """Terraform's, dotted; may be empty."""
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


class Provider:
    """A running provider, with the schemas of the resource types that it is asked about."""

    def __init__(self, pid: int, channel: grpc.Channel) -> None:
        self.pid = pid
        self._channel = channel
        answer = self._ask("GetSchema", "SchemaRequest", "SchemaResponse")
        _no_errors(answer.diagnostics)
        self._schemas = {entry.key: entry.value for entry in answer.resource_schemas}
        self._own = _block(answer.provider.block)
        self._blocks: dict[str, Block] = {}
        self._settings: tuple[str, dict[str, str]] | None = None

    def configure(self, region: str, default_tags: Mapping[str, str] | None = None) -> None:
        """Set what holds for all resources. It can be done again."""
        if (settings := (region, dict(default_tags or {}))) == self._settings:
            return
        self._settings = settings
        tags = [{"tags": dict(default_tags)}] if default_tags else []
        config = whole(self._own, {**_OFFLINE, "region": region, "default_tags": tags})
        answer = self._ask(
            "Configure", "ConfigureRequest", "Diagnostics", terraform_version="1.9.0", config=_dynamic(config)
        )
        _no_errors(answer.diagnostics)

    def block(self, type: str) -> Block:
        """The schema of a resource type, `aws_lb`."""
        if type not in self._blocks:
            if type not in self._schemas:
                raise LookupError(f"the provider has no resource type {type}")
            self._blocks[type] = _block(self._schemas[type].block)
        return self._blocks[type]

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
        state = decoded(answer.planned_state.msgpack) if answer.planned_state.msgpack else None
        return Planned(state, frozenset(map(_path, answer.requires_replace)), refusals, answer.planned_private)

    def _ask(self, method: str, request: str, response: str, **fields: Any) -> Any:
        call = self._channel.unary_unary(
            f"/tfplugin5.Provider/{method}",
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(response).FromString,
        )
        return call(message(request)(**fields), timeout=_SECONDS, wait_for_ready=True)


@contextmanager
def provider(binary: Path) -> Iterator[Provider]:
    """A provider for the time of the block."""
    with running(binary) as (pid, channel):
        yield Provider(pid, channel)


def _dynamic(value: Any) -> Any:
    return message("DynamicValue")(msgpack=encoded(value))


def _block(block: Any) -> Block:
    return Block(
        attributes={
            one.name: Attribute(one.name, json.loads(one.type), one.required, one.optional, one.computed)
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
