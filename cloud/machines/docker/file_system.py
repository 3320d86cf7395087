"""The file system of a container: this machine's programs, the stand-ins of the image, and folders of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cloud.machines.docker.images import STAND_INS, Image

Bind = tuple[str, str, bool]
"""A place of the machine, the place in the container, and whether it is read-only there."""
PROJECT = Path(__file__).parents[3]
PACKAGES = ("cloud", "gateway_lambda", "infra", "local")
_OF_THE_MACHINE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_OF_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/mime.types")
_OWN_FOLDERS = ("etc", "home", "opt", "root", "run", "srv", "tmp", "var/tmp", "var/log", "app", "dstack")
_STAND_IN = """\
#!/usr/bin/env -S "{python}" -I
import sys
sys.path.insert(0, {project!r})
from cloud.machines.stand_ins import run
run({name!r})
"""
"""For the kernel, the path of an interpreter ends at a space, and a shell in between would add variables."""
SETTINGS = "run/stand-in"
"""The folder of a container from which its stand-ins learn what they stand in for."""
MODEL = "/run/stand-in-model"
"""The folder of a container with the sockets of the shared models."""


@dataclass(frozen=True)
class Mount:
    """A bind mount of `docker run`."""

    source: str
    target: str


def make_root(
    root: Path,
    image: Image,
    *,
    port: int,
    nvidia_smi: Path | None,
    python: str | None = None,
    packages: str = str(PROJECT),
) -> None:
    """Make the folders and files that are the container's own.

    Args:
        root: the folder of the container's file system.
        image: whose programs stand-ins play.
        port: the port of the container that is published; 0: not known.
        nvidia_smi: a program that NVIDIA's toolkit adds.
        python: the interpreter of the stand-ins, in the container. `None`: the one that runs now, which is mounted.
        packages: where it finds this project there.
    """
    for name in _OWN_FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    (root / "root").chmod(0o711)  # Python can be in there
    for name, text in (
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("etc/resolv.conf", ""),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ):
        (root / name).write_text(text, encoding="ascii")
    settings = root / SETTINGS
    settings.mkdir(parents=True)
    (settings / "image").write_text(image.name)
    (settings / "port").write_text(str(port))
    (settings / "running").write_text("")  # nothing serves yet
    (settings / "running").chmod(0o666)
    for program in image.programs:
        _write_stand_in(root, program, python or sys.executable, packages)
    if nvidia_smi is not None:
        programs = root / STAND_INS.lstrip("/") / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        shutil.copy(nvidia_smi, programs / "nvidia-smi")


def binds(model: Path, mounts: Iterable[Mount]) -> list[Bind]:
    """Return what is mounted into a container: the machine's programs, Python with this project, then `mounts`."""
    places = [Path(place) for place in (*_OF_THE_MACHINE, *_OF_ETC) if Path(place).exists()]
    python = [Path(sys.base_prefix), Path(sys.prefix), *(PROJECT / name for name in PACKAGES)]
    places += [place for place in dict.fromkeys(python) if not place.is_relative_to("/usr")]
    read_only: list[Bind] = [(str(place), str(place), True) for place in places]
    return [*read_only, (str(model), MODEL, False), *((mount.source, mount.target, False) for mount in mounts)]


def in_container(root: Path, path: str) -> Path:
    """Return the file of this machine that a path of a container is, if the container itself has it."""
    return root / os.path.normpath(f"/{path}").lstrip("/")


def _write_stand_in(root: Path, program: str, python: str, packages: str) -> None:
    place = root / program.lstrip("/") if "/" in program else root / STAND_INS.lstrip("/") / "bin" / program
    place.parent.mkdir(parents=True, exist_ok=True)
    name = place.name
    python = re.sub(r'(["\\$])', r"\\\1", python)
    place.write_text(_STAND_IN.format(python=python, project=packages, name=name))
    place.chmod(0o755)
