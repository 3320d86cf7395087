"""Reads the provider's rules out of what it says when it refuses a value: rows for the stand-in's tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cloud.deployment.terraform.client import Refusal
from cloud.deployment.terraform.translation import terraform_path
from cloud.deployment.terraform.values import Block
from tests.provider.probing import Probe

DURATION = r"[+-]?(0|(\d+(\.\d+)?(h|ms|s|m|us|µs|ns))+)"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


class Row(NamedTuple):
    """A row of the stand-in's tables of limits, without its source."""

    type: str
    property: str
    rule: str
    argument: str


def rows(probes: Iterable[Probe], blocks: Mapping[str, Block]) -> set[Row]:
    """What the refusals say of one property, or of some together. What they say otherwise is left out.

    A relation is one row, at the first of its properties. A number that can be in one of two ranges has both in a row.
    """
    probes = list(probes)
    pulumi: dict[str, dict[str, str]] = {}
    for probe in probes:
        terraform = terraform_path(probe.type, blocks[probe.type], probe.place.name)
        pulumi.setdefault(probe.type, {})[terraform] = marked(probe.place.path)
    found = {row for probe in probes for row in _rows(probe, pulumi[probe.type])}
    return _with_alternatives({_ordered(row) for row in found})


def _rows(probe: Probe, pulumi: Mapping[str, str]) -> Iterator[Row]:
    path = marked(probe.place.path)
    leaf = next((name for name, one in pulumi.items() if one == path), "").rpartition(".")[2]
    items = "[]" if probe.place.kind == "list" and probe.value else ""
    alone: list[Row | None] = []
    for refusal in probe.refusals:
        if together := _together(probe.type, refusal.says, pulumi):
            yield from together
        elif _is_about(refusal, leaf, probe):
            read = _alone(refusal.says, probe)
            alone.append(Row(probe.type, f"{path}{items}", *read) if read else None)
    # Where a value broke several rules at once, one of them can be enough. Only for ranges is that known.
    found = [row for row in alone if row is not None]
    if len(found) == len(alone) and (len(found) == 1 or {row.rule for row in found} == {"range"}):
        yield from found


def _together(type: str, says: str, pulumi: Mapping[str, str]) -> list[Row]:
    for pattern, rule in _TOGETHER:
        if (found := re.search(pattern, says)) is not None:
            own = pulumi.get(_plain(found[1]))
            named = {pulumi[name] for name in map(_plain, re.split(r"[,`\s]+", found[2])) if name in pulumi} - {own}
            if own is None or not named:
                return []
            others = sorted(named) if rule == "not with" else [" ".join(sorted(named))]
            return [Row(type, own, rule, other) for other in others]
    return []


def _is_about(refusal: Refusal, leaf: str, probe: Probe) -> bool:
    """Whether the property is named, or its value is: a block around it can be refused for something else."""
    if probe.place.kind in ("map", "object"):
        return False
    says = refusal.says
    if " Given Value:" in says:
        return f"{leaf} Given Value:" in says
    planted = probe.value[0] if isinstance(probe.value, list) and probe.value else probe.value
    shown = isinstance(planted, str) and bool(planted) and planted in says
    text = f"{_plain(refusal.path)} {says.replace('invalid prefix', 'invalid')}"
    return shown or re.search(rf"\b{re.escape(leaf)}\b", text) is not None


def _alone(says: str, probe: Probe) -> tuple[str, str] | None:
    if probe.value == [] and probe.place.value and "is required" in says:
        return ("items", "1..")
    for pattern, reading in _ALONE:
        if (found := re.search(pattern, says)) is not None:
            return reading(found)
    return None


def _ordered(row: Row) -> Row:
    if row.rule not in ("not with", "some of"):
        return row
    first, *others = sorted((row.property, *row.argument.split()))
    return row._replace(property=first, argument=" ".join(others))


def _with_alternatives(found: set[Row]) -> set[Row]:
    """A value is in one range or in the other."""
    joined: dict[Row, list[str]] = {}
    for row in found:
        key = row._replace(argument="") if row.rule == "range" else row
        joined.setdefault(key, []).append(row.argument)
    return {key._replace(argument="|".join(sorted(arguments))) for key, arguments in joined.items()}


def marked(path: str) -> str:
    """`a.0.b` as the stand-in's tables write it: `a[].b`."""
    return re.sub(r"\.\d+", "[]", path)


def _plain(name: str) -> str:
    """A path of Terraform without the positions in lists."""
    return re.sub(r"\.\d+|\[\d+\]", "", name.strip("\"' "))


def _one_of(found: re.Match[str]) -> tuple[str, str] | None:
    items = re.findall(r'"([^"]*)"', found[1]) or found[1].split()
    if all(item and " " not in item for item in items):
        return ("one of", " ".join(items))
    return ("matches", "|".join(map(re.escape, items)))


def _whole(pattern: str) -> str:
    """A pattern for the whole value. The provider's matches anywhere unless it says otherwise."""
    start, end = pattern.startswith("^"), pattern.endswith("$")
    inside = pattern.removeprefix("^").removesuffix("$")
    return f"{'' if start else '(?s:.*)'}(?:{inside}){'' if end else '(?s:.*)'}" if not (start and end) else inside


def _interval(found: re.Match[str]) -> tuple[str, str]:
    return ("length" if found[1] else "range", f"{found[2]}..{found[3]}")


_TOGETHER = (
    (r'"([\w.]+)": conflicts with ([\w.]+)', "not with"),
    (r'"([\w.]+)": only one of `([^`]+)` can be specified', "not with"),
    (r'"([\w.]+)": all of `([^`]+)` must be specified', "needs"),
    (r'"([\w.]+)": one of `([^`]+)` must be specified', "some of"),
)
_ALONE: tuple[tuple[str, Callable[[re.Match[str]], tuple[str, str] | None]], ...] = (
    (r"expected \S+ to be one of \[(.*?)\], got", _one_of),
    (r"Valid Values: \[(.*?)\]", _one_of),
    (r"value must be one of: \[(.*?)\]", _one_of),
    (r"expected (length of )?\S+ to be in the range \((-?\d+) - (-?\d+)\)", _interval),
    (r"expected \S+ to be at least \((-?\d+)\)", lambda found: ("range", f"{found[1]}..")),
    (r"expected \S+ to be at most \((-?\d+)\)", lambda found: ("range", f"..{found[1]}")),
    (r"value must be at least (-?\d+)", lambda found: ("range", f"{found[1]}..")),
    (r"cannot be longer than (\d+) characters", lambda found: ("length", f"0..{found[1]}")),
    (r"to not be an empty string|must not be empty", lambda _: ("length", "1..")),
    (r'to match regular expression "(.*?)", got', lambda found: ("matches", _whole(found[1].replace("\\\\", "\\")))),
    (r"is an invalid ARN|value must be a valid ARN", lambda _: ("arn", "")),
    (r"contains an invalid JSON", lambda _: ("json", "")),
    (r"is not a valid CIDR block", lambda _: ("matches", r"[0-9a-fA-F.:]+/\d+")),
    (r"cannot parse '.*' as boolean", lambda _: ("matches", "|[01tTfF]|true|false|TRUE|FALSE|True|False")),
    (r"cannot parse '.*' as int", lambda _: ("matches", r"|-?\d+")),
    (r"contain a valid IPv4 address", lambda _: ("matches", r"(\d{1,3}\.){3}\d{1,3}")),
    (r"contain a valid IPv6 address", lambda _: ("matches", "[0-9a-fA-F.]*:[0-9a-fA-F:.]*")),
    (r"must be a valid AWS account ID", lambda _: ("matches", r"\d{12}")),
    (r"length must be between (\d+) and (\d+)", lambda found: ("length", f"{found[1]}..{found[2]}")),
    (r"requires (\d+) items? minimum", lambda found: ("items", f"{found[1]}..")),
    (r"RFC3339", lambda _: ("matches", TIME)),
    (r"Time Duration|cannot be parsed as a duration|invalid duration", lambda _: ("matches", DURATION)),
    (r"Can't configure a value", lambda _: ("never", "")),
)
