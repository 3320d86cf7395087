"""An image made from scratch: a shell, Python and a server, taken from the machine's Debian."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.machines.stand_ins import numbered_streams

SERVER = Path(numbered_streams.__file__)
PROGRAMS = ("bash", "cat", "chmod", "id", "kill", "ls", "mkdir", "python3", "sleep", "touch")
_LEFT_OUT = ("__pycache__", "lib-dynload/_ssl", "ensurepip", "idlelib", "pydoc_data", "test", "tkinter", "turtledemo")
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@dataclass(frozen=True)
class Image:
    """An image as a registry has it."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    """By digest."""
    manifest_type: str = _MANIFEST

    @property
    def digest(self) -> str:
        return _digest(self.manifest)


def base_layer(root: Path) -> bytes:
    """Return the layer that all images have, as a tar file. It is the same for the same `root`."""
    programs = [f"usr/bin/{name}" for name in PROGRAMS]
    names = {*programs, *_libraries(root, programs)}
    standard = next(path for path in (root / "usr/lib").glob("python3.*") if path.is_dir())
    names |= {str(path.relative_to(root)) for path in standard.rglob("*") if path.is_file() and _is_wanted(path)}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("bin", "lib", "lib64"):
            _add_link(tar, name, f"usr/{name}")
        _add_link(tar, "usr/bin/sh", "bash")
        for folder in ("tmp", "data", "root", "usr/bin", "usr/lib", "etc"):
            _add_folder(tar, folder)
        for name in sorted(names):
            _add_file(tar, name, (root / name).resolve().read_bytes(), 0o755)
        _add_file(tar, "usr/bin/serve", SERVER.read_bytes(), 0o755)
    return data.getvalue()


def image(
    base: bytes, *, files: Mapping[str, str] | None = None, command: Sequence[str] = ("serve",), user: str = ""
) -> Image:
    """Return an image with this base, `files` by path, and `command` as its own command."""
    layers = [base]
    if files:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for path, text in files.items():
                _add_file(tar, path.lstrip("/"), text.encode(), 0o644)
        layers.append(data.getvalue())
    settings = {"Cmd": list(command), "Env": ["PATH=/usr/bin"], "WorkingDir": "/", "User": user}
    root = {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": settings, "rootfs": root}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(config, _CONFIG),
            "layers": [_described(layer, _LAYER) for layer in layers],
        }
    ).encode()
    return Image(manifest, {_digest(blob): blob for blob in (config, *layers)})


def _libraries(root: Path, programs: Sequence[str]) -> set[str]:
    """Return the shared libraries of the programs, as paths in `root`."""
    printed = subprocess.run(
        ["chroot", str(root), "ldd", *(f"/{program}" for program in programs)],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    words = [word for line in printed.splitlines() if "(" in line for word in line.split()]
    paths = {word for word in words if word.startswith("/") and not word.endswith(":")}
    return {"usr" + path if not path.startswith("/usr") else path.lstrip("/") for path in paths}


def _is_wanted(path: Path) -> bool:
    return not any(part in str(path) for part in _LEFT_OUT)


def _described(blob: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _add_file(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(entry)


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
