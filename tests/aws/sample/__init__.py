"""A gateway and a service as plain inputs: right by every rule of the stand-in.

Tests plant one wrong value in it and look who refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.aws.planting import Planted, plant
from tests.aws.sample.api import API
from tests.aws.sample.function import FUNCTION
from tests.aws.sample.network import NETWORK
from tests.aws.sample.service import SERVICE
from tests.aws.sample.writing import REGION, Resources
from tests.aws.standin import Cloud
from tests.aws.standin.paths import is_list, is_object

ALL: Resources = (*NETWORK, *FUNCTION, *API, *SERVICE)


def deploy(cloud: Cloud, planted: Planted | None = None) -> None:
    """Make all of it, with one value that is not right if `planted` says so."""
    made: dict[str, Mapping[str, Any]] = {}
    for name, type, inputs in ALL:
        given = {key: _filled(value, made) for key, value in inputs.items()}
        if planted is not None and planted.resource == name:
            given = plant(given, planted.path, _filled(planted.value, made))
        urn = f"urn:pulumi:sample::servestack::{type}::{name}"
        checked = cloud.checked(type, urn, given)
        record = cloud.create(type, urn, checked, REGION if type.startswith("aws:") else "global")
        made[name] = {**record.outputs, "id": record.id}


def _filled(value: Any, made: Mapping[str, Mapping[str, Any]]) -> Any:
    if is_object(value):
        return {key: _filled(item, made) for key, item in value.items()}
    if is_list(value):
        return [_filled(item, made) for item in value]
    if not isinstance(value, str) or not value.startswith("="):
        return value
    return "".join(_output(part, made) for part in value.split("+"))


def _output(part: str, made: Mapping[str, Mapping[str, Any]]) -> str:
    if not part.startswith("="):
        return part
    name, *path = part[1:].split(".")
    value: Any = made[name]
    for step in path:
        value = value[int(step)] if step.isdigit() else value[step]
    return value
