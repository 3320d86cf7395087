"""What the image registries of this cloud have: whether an image can be pulled, and which programs are in it."""

from __future__ import annotations

import csv
import functools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from infra.planning.model_server import server_of_image

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STAND_INS = "/opt/stand-ins"
"""The folder of a container whose programs stand in for those of the image. It comes first on PATH."""
LAYER_MB = 5000
"""Megabytes of a layer of an image, so that the progress of a model server has a few steps."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image as a registry has it."""

    name: str
    pull: str
    """What a registry answers, in the words of images.csv; empty: everyone can pull it."""
    layers: int
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    programs: tuple[str, ...]
    """Names on PATH, and paths, of the programs that stand-ins play."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@functools.lru_cache(maxsize=64)
def image_named(name: str, tables: Path = _FOLDER) -> Image:
    """Return the image of this name, by the tables in a folder."""
    answer = next(row for row in _rows(tables / "images.csv") if fnmatchcase(name, row["image"]))
    server = server_of_image(name)
    contents = _contents(name, None if server is None else server.name, tables)
    programs = tuple(contents["programs"].split())
    return Image(
        name=name,
        pull=answer["pull"],
        layers=1 + int(answer["megabytes"] or 0) // LAYER_MB,
        entrypoint=tuple(shlex.split(contents["entrypoint"])),
        command=tuple(shlex.split(contents["command"])),
        programs=_all_programs(tables) if programs == ("all",) else programs,
        environment={
            **({} if server is None else server.image_variables),
            "PATH": f"{STAND_INS}/bin:{PATH}",
        },
    )


def _contents(name: str, server: str | None, tables: Path) -> Mapping[str, str]:
    rows = list(_rows(tables / "programs.csv"))
    named = (row for row in rows[:-1] if row["image"] and fnmatchcase(name, row["image"]))
    of_server = (row for row in rows if server is not None and row["server"] == server)
    return next(named, None) or next(of_server, None) or rows[-1]


def _all_programs(tables: Path) -> tuple[str, ...]:
    names = [name for row in _rows(tables / "programs.csv") for name in row["programs"].split() if name != "all"]
    return tuple(dict.fromkeys([*names, "web-page", "uv", "sudo"]))


def _rows(table: Path) -> Iterator[Mapping[str, str]]:
    lines: Sequence[str] = table.read_text(encoding="utf-8").splitlines()
    yield from csv.DictReader(line for line in lines if not line.startswith("#"))
