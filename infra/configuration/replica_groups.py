"""How many replicas a service has: one number or range, or groups of replicas that differ from each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from infra.configuration.amounts import CountRange
from infra.configuration.base_image import Python, source_conflicts
from infra.configuration.container import Commands
from infra.configuration.image import Image
from infra.configuration.placement import Reservation, SpotPolicy, purchase_conflicts
from infra.configuration.resources import Resources
from infra.configuration.section import Refusal, Section, problem
from infra.configuration.traffic import Scaling

_NAME = r"[a-z0-9][a-z0-9-]{0,39}"
"""dstack's pattern of a group's name."""
_SOURCES = ("image", "python", "nvcc", "docker")
"""What decides which image runs."""
INHERITED = (*_SOURCES, "privileged", "spot_policy", "reservation")
"""The keys that can be set for all groups at once, or in groups, but not in both places."""
_ONLY_IN_GROUPS: Mapping[str, str] = {
    "commands": "each group has commands of its own",
    "scaling": "each group scales by itself",
    "resources": "each group has resources of its own",
}
_NOT_WITH_GROUPS: Mapping[str, tuple[str, str]] = {
    "entrypoint": (
        "with an entrypoint, dstack ignores the commands of groups",
        "remove it, and write its program into the commands of each group",
    ),
    "utilization_policy": (
        "a replica whose GPUs are not used can end only its own group, but the policy ends the whole run",
        "remove it, or deploy each group as a service",
    ),
}


def _bounded(value: CountRange) -> CountRange:
    if value.max is None:
        raise problem("a range of replicas must have an upper bound", "write a range such as 1..4")
    return CountRange(min=value.min or 0, max=value.max)


class ReplicaGroup(Section, frozen=True):
    """A group of replicas. Everything that it does not set is as in the service."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        "router": Refusal(
            "the load balancer sends requests to all groups, and no router decides which group does which part of the "
            "work (PD disaggregation)",
            "remove the group of the router, and let each replica do all of the work",
        )
    }

    name: str | None = Field(
        default=None,
        description="The name of the group. If not set, its number: 0, 1, …",
        json_schema_extra={"pattern": f"^{_NAME}$"},
    )
    count: Annotated[CountRange, AfterValidator(_bounded)] = Field(
        description="The number of replicas, such as 2 or 1..4. `replicas` means the same", examples=["1..4"]
    )
    scaling: Scaling | None = Field(default=None, description="When replicas of the group are added and removed")
    resources: Resources = Field(default=Resources(), description="The resources that one replica of the group needs")
    commands: Commands = Field(default=(), description="The shell commands of the group")
    image: Image | None = Field(default=None, description="The container image of the group")
    python: Python | None = Field(default=None, description="The version of Python in the base image")
    nvcc: bool | None = Field(default=None, description="Whether the base image has a CUDA compiler")
    docker: bool | None = Field(default=None, description="Whether the commands can use docker")
    privileged: bool | None = Field(default=None, description="Whether the container runs in privileged mode")
    spot_policy: SpotPolicy | None = Field(default=None, description="How instances of the group are bought")
    reservation: Reservation | None = Field(
        default=None, description="The id of a Capacity Reservation or a Capacity Block that the group runs in"
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `replicas`, which is dstack's other word for `count` and wins if a group has both."""
        if not isinstance(value, Mapping):
            return value
        given = cast(Mapping[object, object], value)
        if "replicas" not in given:
            return given
        return {("count" if key == "replicas" else key): item for key, item in given.items() if key != "count"}

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        yield from source_conflicts(given)
        yield from purchase_conflicts(given)
        yield from scaling_conflicts(given, "count")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Editors know `replicas` too."""
        group = handler.resolve_ref_schema(handler(schema))
        counts = {"replicas": {**group["properties"]["count"], "description": "The same as `count`"}}
        return {
            **{key: value for key, value in group.items() if key != "required"},
            "properties": {**group["properties"], **counts},
            "anyOf": [{"required": ["count"]}, {"required": ["replicas"]}],
        }

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_NAME, value):
            rule = "a group's name has at most 40 letters a-z, digits and -, and does not begin with -"
            raise problem(rule, "write a name such as large")
        return value


def _named(groups: tuple[ReplicaGroup, ...]) -> tuple[ReplicaGroup, ...]:
    """Give each group a name: as in dstack, its number if it has none."""
    named = tuple(
        group if group.name is not None else group.model_copy(update={"name": str(index)})
        for index, group in enumerate(groups)
    )
    names = [group.name for group in named]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise problem("each group must have a different name", "change one of them", found=f"{twice} more than once")
    return named


Groups = Annotated[tuple[ReplicaGroup, ...], Field(min_length=1), AfterValidator(_named)]
_GROUPS: TypeAdapter[tuple[ReplicaGroup, ...]] = TypeAdapter(Groups)


def _read_replicas(value: object) -> CountRange | tuple[ReplicaGroup, ...]:
    if value is None:
        return CountRange(min=1, max=1)
    if isinstance(value, list | tuple):
        return _GROUPS.validate_python(value)
    return _bounded(CountRange.model_validate(value))


Replicas = Annotated[CountRange | Groups, BeforeValidator(_read_replicas)]
"""How many replicas there are: a number, a range, or dstack's older spelling of groups."""


def scaling_conflicts(given: Mapping[str, object], key: str) -> Iterator[tuple[str, PydanticCustomError]]:
    """Return the conflicts between `scaling` and the number of replicas, which is in `given[key]`."""
    try:
        replicas = CountRange.model_validate(given.get(key) or 1)
    except ValidationError:
        return
    varies = replicas.min != replicas.max
    if varies and given.get("scaling") is None:
        remedy = "add `scaling:` with `metric: rps` and `target: …`, or write a single number"
        yield key, problem("a range of replicas needs `scaling`", remedy)
    if not varies and given.get("scaling") is not None:
        rule = "`scaling` needs a range of replicas"
        yield "scaling", problem(rule, f"write a range such as `{key}: 1..4`, or remove `scaling`")


def group_conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
    """Return the conflicts between the groups of a service and its other keys."""
    key = "groups" if given.get("groups") is not None else "replicas"
    if key == "groups" and given.get("replicas") is not None:
        yield "replicas", problem("`replicas` and `groups` say the same", "remove one of them")
    written = given.get(key)
    if not isinstance(written, list):
        return
    groups = [cast(Mapping[str, object], one) for one in cast(list[object], written) if isinstance(one, Mapping)]
    for name, rule in _ONLY_IN_GROUPS.items():
        if given.get(name) not in (None, [], {}):
            yield name, problem(rule, f"move `{name}` into each group that needs it")
    for name, (rule, remedy) in _NOT_WITH_GROUPS.items():
        if given.get(name) is not None:
            yield name, problem(rule, remedy)
    for name in INHERITED:
        if given.get(name) not in (None, False) and any(_contradicts(name, group) for group in groups):
            yield name, problem(f"`{name}` contradicts what a group sets", f"set it in groups, or remove `{name}`")
    if any(_locks_docker_out(given, group) for group in groups):
        where = "docker" if given.get("docker") is True else "privileged"
        yield where, problem("docker in a container needs a privileged container", "remove `privileged: false`")
    if given.get("image") is None and any(not group.get("commands") and not group.get("image") for group in groups):
        rule = "without `image`, the base image runs, and it has nothing to run without `commands`"
        yield key, problem(rule, "add `commands:` or `image: …` to each group")


def _locks_docker_out(given: Mapping[str, object], group: Mapping[str, object]) -> bool:
    """Whether the service or a group has docker, and the other one says that its container is not privileged."""
    return (given.get("docker") is True and group.get("privileged") is False) or (
        given.get("privileged") is False and group.get("docker") is True and group.get("privileged") is None
    )


def _contradicts(name: str, group: Mapping[str, object]) -> bool:
    """Whether a group sets what the service sets with `name`, or another image."""
    if group.get(name) is not None:
        return True
    others = [other for other in _SOURCES if group.get(other) is not None]
    if name not in _SOURCES or not others:
        return False
    return name in ("image", "docker") or any(other in ("image", "docker") for other in others)
