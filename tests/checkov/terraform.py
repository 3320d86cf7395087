"""Writes recorded resources as Terraform, because checkov does not read Pulumi.

Pulumi's AWS provider is a bridge to Terraform's. A property has Terraform's name in camel case, and a block that can
repeat is in the plural. The exceptions are here. Some checks follow references. Therefore a value that is the id, ARN
or name of another resource becomes a reference to it, if that resource is made before in the same stack, or is in
another stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloud.deployment.terraform.types import snake, terraform_type
from commands.program_monitor import Registration
from commands.property_values import FileValue, PropertyValue
from tests.aws.recording import Recording
from tests.components.deploying import plain

PROPERTIES = {
    "deployment": "deployment_id",
    "metricQueries": "metric_query",
    "metricQuery": "metric_query",
    "restApi": "rest_api_id",
    "vpcZoneIdentifiers": "vpc_zone_identifier",
}
OF_TYPE = {
    ("aws:autoscaling/group:Group", "tags"): "tag",
    ("aws:lambda/function:Function", "code"): "filename",
    ("aws:lambda/permission:Permission", "function"): "function_name",
    ("aws:sns/topicSubscription:TopicSubscription", "topic"): "topic_arn",
}
SINGULAR = {"actions", "aliases", "attributes", "conditions", "defaultActions", "overrides", "rules"}
"""Blocks that can repeat: Terraform has them in the singular."""
LEFT_ALONE = {"response_parameters", "tags", "tags_all", "variables", "response_templates", "triggers", "headers"}
"""Maps whose keys are not names of properties."""
SHORTEST = 8
"""Characters of a value that can become a reference. Shorter values, for example a stage's name, are too common."""


def terraform(recordings: Iterable[Recording]) -> str:
    """One configuration with the AWS resources of all recordings."""
    made = [(recording, one) for recording in recordings for one in recording.resources if one.type.startswith("aws:")]
    names = _references(made)
    blocks: list[str] = []
    for recording, one in made:
        known = recording.waits_for(one) | {other.urn for of, other in made if of is not recording}
        inputs = {name: plain(value) for name, value in one.inputs.items()}
        others = {text: reference for text, (urn, reference) in names.items() if urn in known}
        head = f'resource "{terraform_type(one.type)}" "{_name(one.name)}"'
        content = {**_object(one.type, inputs, others), "lifecycle": _lifecycle(one)}
        blocks.append(f"{head} {{\n{_body(content)}}}\n")
    return "\n".join(blocks)


def _lifecycle(one: Registration) -> Mapping[str, bool]:
    """Pulumi makes the new resource before it deletes the old one, unless an option says otherwise."""
    return {"create_before_destroy": one.delete_before_replace is not True, "prevent_destroy": bool(one.protect)}


def _references(made: Iterable[tuple[Recording, Registration]]) -> Mapping[str, tuple[str, str]]:
    """By value: the URN of its resource, and the reference. An id comes before an ARN, and an ARN before a name."""
    found: dict[str, tuple[str, str]] = {}
    for attribute in ("id", "arn", "name", "regionalDomainName"):
        for recording, one in made:
            record = recording.made(one)
            value = record.id if attribute == "id" else record.outputs.get(attribute)
            if isinstance(value, str) and len(value) >= SHORTEST:
                reference = f"${{{terraform_type(one.type)}.{_name(one.name)}.{snake(attribute)}}}"
                found.setdefault(value, (one.urn, reference))
    return found


def _object(type: str, value: Mapping[str, PropertyValue], names: Mapping[str, str]) -> dict[str, Any]:
    return {_property(type, name): _value(type, name, one, names) for name, one in value.items()}


def _value(type: str, name: str, value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, FileValue):
        return str(value.path)
    if isinstance(value, list):
        return [_object(type, one, names) if isinstance(one, dict) else _value(type, name, one, names) for one in value]
    if isinstance(value, dict):
        if snake(name) in LEFT_ALONE:
            return {key: _value(type, key, one, names) for key, one in value.items()}
        return _object(type, value, names)
    if isinstance(value, str):
        return names[value] if value in names else value.replace("${", "$${").replace("%{", "%%{")
    return value


def _property(type: str, name: str) -> str:
    renamed = OF_TYPE.get((type, name)) or PROPERTIES.get(name)
    return renamed or snake(_one(name) if name in SINGULAR else name)


def _one(name: str) -> str:
    return name[:-2] if name == "aliases" else name[:-1]


def _name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def _body(content: Mapping[str, Any]) -> str:
    """Attributes and blocks. A list of objects becomes one block for each."""
    lines: list[str] = []
    for name, value in content.items():
        objects = (
            value if isinstance(value, list) and value and all(isinstance(one, dict) for one in value) else [value]
        )
        for one in objects:
            block = isinstance(one, dict) and name not in LEFT_ALONE
            lines.append(f"{name} {{\n{_body(one)}}}\n" if block else f"{name} = {json.dumps(one)}\n")
    return "".join(lines)
