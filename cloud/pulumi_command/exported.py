"""A stack's state in the form of `pulumi stack export`, from which the commands of this project read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from cloud.deployment.state import Held, State
from commands.program_monitor import STACK_TYPE
from commands.property_values import FileValue, SecretValue, encode
from infra.configuration.names import PROJECT

HIDDEN = "[secret]"
_SECRET_TYPES = frozenset({"aws:ssm/parameter:Parameter", "random:index/randomBytes:RandomBytes"})
"""Types whose outputs have secrets. What they export is their id."""


def exported(stack: str, state: State, *, show_secrets: bool) -> Mapping[str, Any]:
    """Return what `pulumi stack export` prints. Secrets are shown if `show_secrets`."""
    root = {
        "urn": f"urn:pulumi:{stack}::{PROJECT}::{STACK_TYPE}::{PROJECT}-{stack}",
        "type": STACK_TYPE,
        "outputs": outputs(state, show_secrets=show_secrets),
    }
    resources = [_exported(one, show_secrets=show_secrets) for one in state.resources]
    return {"version": 3, "deployment": {"resources": [root, *_components(state.resources), *resources]}}


def outputs(state: State, *, show_secrets: bool) -> Mapping[str, Any]:
    """Return the outputs of a stack, each secret one as `[secret]` if it is not to be shown. Keys are sorted in all of
    them, as the engine's are."""
    return {name: _shown(value, show_secrets=show_secrets) for name, value in state.outputs.items()}


def _shown(value: Any, *, show_secrets: bool) -> Any:
    if isinstance(value, SecretValue):
        return _shown(value.value, show_secrets=True) if show_secrets else HIDDEN
    if isinstance(value, Mapping):
        return {name: _shown(one, show_secrets=show_secrets) for name, one in sorted(value.items())}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_shown(one, show_secrets=show_secrets) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, FileValue):
        return json_format.MessageToDict(encode({"file": value}))["file"]
    return value


def _components(resources: Sequence[Held]) -> Iterator[Mapping[str, Any]]:
    """Components are in the URNs of what they have: `…::servestack:gateway:Gateway$aws:lb/listener:Listener::http`."""
    known = {one.urn for one in resources}
    for urn in dict.fromkeys(one.parent for one in resources if one.parent and one.parent not in known):
        if (type := urn.split("::")[2].rpartition("$")[2]) != STACK_TYPE:
            yield {"urn": urn, "type": type}


def _exported(held: Held, *, show_secrets: bool) -> Mapping[str, Any]:
    hidden = held.type in _SECRET_TYPES and not show_secrets
    exported = {
        "urn": held.urn,
        "custom": True,
        "type": held.type,
        "id": held.id,
        "parent": held.parent,
        "outputs": {"id": held.id} if hidden else _shown(held.outputs, show_secrets=True),
    }
    return {**exported, "delete": True} if held.going else exported
