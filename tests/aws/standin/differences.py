"""Which changes the provider makes in place and which by replacing the resource (`replacing.csv`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.aws.standin.paths import value_at
from tests.aws.standin.tables import by_type, types

DEFAULTS = "__defaults"
"""Among the inputs, as the bridge writes it: the properties that the provider filled in itself."""

_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


@dataclass(frozen=True)
class Difference:
    """What changes, and how."""

    changed: tuple[str, ...] = ()
    """Names of the properties that differ, sorted."""
    replacing: tuple[str, ...] = ()
    """Those among them that need a new resource."""
    delete_first: bool = False
    """Whether the old one goes before the new one comes: its name is fixed, so both cannot be there."""


def difference(type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    names = (old.keys() | new.keys()) - {DEFAULTS}
    changed = sorted(name for name in names if old.get(name) != new.get(name))
    replacing = [name for name in changed if name in _replacing(type, old, new)]
    named = types()[type].named if type in types() else ""
    fixed = named in new and named not in new.get(DEFAULTS, ()) and named not in changed
    return Difference(tuple(changed), tuple(replacing), bool(replacing) and fixed)


def _replacing(type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    names = {name for row in by_type("replacing").get(type, ()) for name in row["properties"].split()} | {"region"}
    if type.startswith("aws:vpc/securityGroup") and _source(old) != _source(new):
        names |= set(_SOURCES)
    if type == "aws:ssm/parameter:Parameter" and _turns(old, new, "tier") == ("Advanced", "Standard"):
        names.add("tier")
    if type == "aws:ec2/vpc:Vpc" and _turns(old, new, "instanceTenancy") != ("dedicated", "default"):
        names.add("instanceTenancy")
    nested = {name for name in names if "." in name}
    changed = {name.partition(".")[0] for name in nested if value_at(old, name) != value_at(new, name)}
    return frozenset(names - nested | changed)


def _turns(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    return old.get(name), new.get(name)


def _source(rule: Mapping[str, Any]) -> str | None:
    """ec2/vpc_security_group_ingress_rule.go ModifyPlan: a rule keeps the kind of its source."""
    return next((name for name in _SOURCES if rule.get(name) is not None), None)
