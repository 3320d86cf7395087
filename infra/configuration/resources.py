"""The resources that a replica needs: vCPUs, memory, GPUs, disk. Sizes are in GB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, GetJsonSchemaHandler, WithJsonSchema, field_validator
from pydantic_core import CoreSchema

from infra.configuration.amounts import COUNT_TEXT, SIZE_TEXT, CountRange, Range, Size, SizeRange, number_or_text
from infra.configuration.section import Section, problem

Vendor = Literal["nvidia"]
Architecture = Literal["x86", "arm"]

_OTHER_VENDORS = ("amd", "google", "tpu", "intel", "tenstorrent", "tt")
_CPU_TEXT = rf"(([xX]86|[aA][rR][mM])|{COUNT_TEXT}|[0-9]* *\.\. *[0-9]*)( *: *[^:]+)?"
_GPU_TEXT = r"[^:,]+(,[^:,]+)*( *: *[^:,]+(,[^:,]+)*)*"
_CAPABILITY: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        {"type": "null"},
    ]
}
_NAMES: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]
}


class Cpu(Section, frozen=True):
    """The vCPUs of a replica."""

    arch: Architecture | None = Field(default=None, description="The architecture of the processor")
    count: CountRange = Field(default=CountRange(min=2), description="The number of vCPUs")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `8`, `4..8`, `arm:8`, and the map of a range."""
        if isinstance(value, int) and not isinstance(value, bool):
            return {"count": value}
        if isinstance(value, str):
            return _read_cpu(value)
        if isinstance(value, Mapping):
            given = cast(Mapping[object, object], value)
            return {"count": given} if given and given.keys() <= {"min", "max"} else given
        if isinstance(value, Range):
            return {"count": cast(object, value)}
        if not isinstance(value, Cpu):
            raise problem("this must be a number of vCPUs, arch:count or a map", "write a value such as 4.. or arm:8")
        return value

    @field_validator("arch", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        range_of_counts = handler(CountRange.__pydantic_core_schema__)
        return {"anyOf": [*number_or_text(_CPU_TEXT)["anyOf"], range_of_counts, handler(schema)]}


class Gpu(Section, frozen=True):
    """The GPUs of a replica."""

    vendor: Vendor | None = Field(default=None, description="The vendor of the GPUs")
    name: Annotated[tuple[str, ...] | None, WithJsonSchema(_NAMES)] = Field(
        default=None, description="The names of the GPUs to choose from, such as [A10G, L4]"
    )
    count: CountRange = Field(default=CountRange(min=1), description="The number of GPUs")
    memory: SizeRange | None = Field(default=None, description="The memory of each GPU, such as 24GB..")
    total_memory: SizeRange | None = Field(default=None, description="The memory of all GPUs together")
    compute_capability: Annotated[tuple[int, int] | None, WithJsonSchema(_CAPABILITY)] = Field(
        default=None, description="The lowest compute capability, such as 8.0"
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `2`, `24GB`, `A10G:2`, `nvidia:L4,A10G:24GB..:1..2`."""
        if isinstance(value, int) and not isinstance(value, bool):
            return {"count": value}
        if isinstance(value, str):
            return _read_gpu(value)
        if not isinstance(value, Mapping | Gpu):
            rule = "this must be a number of GPUs, a map, or names, memory and count joined by colons"
            raise problem(rule, "write a value such as 24GB, A10G:2 or L4,A10G:24GB..:1..2")
        return cast(object, value)

    @field_validator("vendor", mode="before")
    @classmethod
    def _read_vendor(cls, value: object) -> object:
        vendor = value.lower() if isinstance(value, str) else value
        if vendor in _OTHER_VENDORS:
            raise _other_vendor()
        return vendor

    @field_validator("name", mode="before")
    @classmethod
    def _read_names(cls, value: object) -> object:
        if value is None:
            return None
        names = cast(list[object], value) if isinstance(value, list | tuple) else [value]
        for name in names:
            if isinstance(name, str) and name.startswith("tpu-"):
                raise _other_vendor()
            if not isinstance(name, str) or not name or not name[0].isalpha() or {",", ":", " "} & set(name):
                raise problem("a GPU name must be one word that begins with a letter", "write a list: [L4, A10G]")
        return names

    @field_validator("compute_capability", mode="before")
    @classmethod
    def _read_capability(cls, value: object) -> object:
        if value is None:
            return None
        parts = cast(list[object], value) if isinstance(value, list | tuple) else str(value).strip().split(".")
        digits = [str(part) for part in parts]
        if (
            isinstance(value, bool)
            or len(digits) != 2
            or not all(d.isascii() and d.isdigit() and len(d) < 4 for d in digits)
        ):
            rule = "a compute capability must be two numbers joined by a dot"
            raise problem(rule, "write a value such as 8.0")
        return int(digits[0]), int(digits[1])

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [*number_or_text(_GPU_TEXT)["anyOf"], {"type": "null"}, handler(schema)]}


class Disk(Section, frozen=True):
    """The root volume of a replica."""

    size: SizeRange = Field(description="The size of the root volume, such as 200GB..", examples=["200GB.."])

    @classmethod
    def read_short_form(cls, value: object) -> object:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return {"size": value}
        if not isinstance(value, Mapping | Disk):
            raise problem("this must be a size, or a map with `size`", "write a size such as 200GB..")
        return cast(object, value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [*number_or_text(rf"({SIZE_TEXT})?( *\.\. *({SIZE_TEXT})?)?")["anyOf"], handler(schema)]}


class Resources(Section, frozen=True):
    """The resources that one replica needs. The defaults are the same as in dstack."""

    cpu: Cpu = Field(default=Cpu(), description="The vCPUs, such as 4.. or arm:8")
    memory: SizeRange = Field(default=SizeRange(min=8.0), description="The main memory, such as 16GB..")
    shm_size: Size | None = Field(default=None, description="The shared memory of the container, such as 8GB")
    gpu: Gpu = Field(
        default=Gpu(count=CountRange(min=0)), description="The GPUs, such as 24GB, A10G:2 or L4,A10G:24GB..:1..2"
    )
    disk: Disk | None = Field(default=Disk(size=SizeRange(min=100.0)), description="The root volume, such as 200GB..")

    @field_validator("gpu", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object) -> object:
        return Gpu(count=CountRange(min=0)) if value is None else value


def _read_cpu(text: str) -> dict[str, object]:
    read: dict[str, object] = {}
    for token in text.replace(" ", "").split(":"):
        key = "count" if ".." in token or token.isdigit() else "arch"
        if not token or key in read or (key == "arch" and token.lower() not in ("x86", "arm")):
            rule = "vCPUs must be a count, an architecture (x86 or arm), or both joined by a colon"
            raise problem(rule, "write a value such as arm:8")
        read[key] = token
    return read


def _read_gpu(text: str) -> dict[str, object]:
    """Read each part by dstack's rule: it is a vendor, names (begins with a letter), memory (has a unit) or a count."""
    read: dict[str, object] = {}
    for token in text.replace(" ", "").split(":"):
        if not token:
            raise problem("each colon must have a value before and after it", "write a value such as A10G:2")
        if token.lower() in ("nvidia", *_OTHER_VENDORS):
            key, value = "vendor", token
        elif token[0].isalpha():
            key, value = "name", token.split(",")
        elif any(character.isalpha() for character in token):
            key, value = "memory", token
        else:
            key, value = "count", token
        if key in read:
            rule = f"a GPU must have only one {key} part, and this value has two"
            raise problem(rule, "write a value such as L4,A10G:24GB..:1..2")
        read[key] = value
    return read


def _other_vendor() -> Exception:
    rule = "only NVIDIA GPUs are supported, because every offer is an EC2 instance type with NVIDIA GPUs"
    return problem(rule, "remove it")
