"""`python -m infra.configuration.reference`: write docs/configuration.schema.json and the tables of configuration.md.

The text of the page is written by hand. The lines between the two marks of a table are made from the types.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from infra.configuration.container import RegistryAuth, Volume
from infra.configuration.files import FileMapping, Repository
from infra.configuration.gateway import Certificate, GatewayConfiguration
from infra.configuration.keys import KeyOptions
from infra.configuration.lasting import Retry, UtilizationPolicy
from infra.configuration.model import Limits, ModelConfiguration
from infra.configuration.refusals import TYPES
from infra.configuration.replica_groups import ReplicaGroup
from infra.configuration.resources import Cpu, Disk, Gpu, Resources
from infra.configuration.schedule import Schedule
from infra.configuration.schema import configuration_schema
from infra.configuration.section import Section
from infra.configuration.service import ServiceConfiguration
from infra.configuration.settings import GatewaySettings, ServiceSettings
from infra.configuration.traffic import Header, PartitioningKey, Probe, RateLimit, Scaling

SECTIONS: Mapping[str, type[Section]] = {
    "service": ServiceConfiguration,
    "schedule": Schedule,
    "retry": Retry,
    "utilization_policy": UtilizationPolicy,
    "model": ModelConfiguration,
    "model.limits": Limits,
    "resources": Resources,
    "resources.cpu": Cpu,
    "resources.gpu": Gpu,
    "resources.disk": Disk,
    "scaling": Scaling,
    "replicas": ReplicaGroup,
    "probes": Probe,
    "probes.headers": Header,
    "rate_limits": RateLimit,
    "rate_limits.key": PartitioningKey,
    "registry_auth": RegistryAuth,
    "volumes": Volume,
    "files": FileMapping,
    "repos": Repository,
    "gateway": GatewayConfiguration,
    "certificate": Certificate,
    "stack config of a service": ServiceSettings,
    "stack config of a gateway": GatewaySettings,
    "keys of a gateway": KeyOptions,
}
"""Every map that a user writes, by the name of its table on the page."""

_MARKED = re.compile(r"(<!-- (keys|refused) of ([a-z_. ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def schema_text() -> str:
    """Return the text of docs/configuration.schema.json."""
    return json.dumps(configuration_schema(), indent=1, ensure_ascii=False) + "\n"


def page_text(page: str) -> str:
    """Return the page with new tables."""

    def table(match: re.Match[str]) -> str:
        rows = _types() if match[3] == "types" else _keys(match[3]) if match[2] == "keys" else _refused(match[3])
        return f"{match[1]}{rows}{match[4]}"

    return _MARKED.sub(table, page)


def main() -> int:
    docs = Path(__file__).parents[2] / "docs"
    (docs / "configuration.schema.json").write_text(schema_text(), encoding="utf-8")
    page = docs / "configuration.md"
    page.write_text(page_text(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _keys(name: str) -> str:
    fields = SECTIONS[name].model_fields
    rows = [f"| `{key}` | {_default(field)} | {_cell(_meaning(field))} |" for key, field in fields.items()]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def _refused(name: str) -> str:
    rows = [
        f"| `{key}` | {_cell(refusal.reason)} | {_cell(refusal.remedy)} | {_neutral(refusal.neutral)} |"
        for key, refusal in SECTIONS[name].refused.items()
    ]
    return "\n".join(["| key | why | instead | read as absent |", "|---|---|---|---|", *rows, ""])


def _types() -> str:
    rows = [f"| `{name}` | {_cell(reason)} |" for name, reason in TYPES.items()]
    return "\n".join(["| type | why |", "|---|---|", *rows, ""])


def _meaning(field: FieldInfo) -> str:
    choices = list(_choices(field.annotation))
    only = f": {', '.join(f'`{choice}`' for choice in choices)}" if choices else ""
    return f"{field.description}{only}"


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for part in get_args(annotation):
            yield from _choices(part)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field is GatewaySettings.model_fields["keys"]:
        return _value(list(GatewaySettings(configuration="…").keys))
    return _value(field.get_default(call_default_factory=True, validated_data={}))


def _value(value: Any) -> str:
    if isinstance(value, Section):
        given = value.model_dump(exclude_defaults=True)
        return f"`{json.dumps(given)}`" if given else "its defaults"
    if value in (None, (), {}):
        return "none"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _neutral(values: tuple[object, ...]) -> str:
    return ", ".join(f"`{json.dumps(value)}`" for value in values)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
