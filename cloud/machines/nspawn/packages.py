"""What the stand-ins in a container need beside Python: packages for Debian's Python, and this project."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cloud.machines.docker.file_system import PACKAGES as OURS
from cloud.machines.docker.file_system import PROJECT
from cloud.machines.nspawn.debian_root import FOLDER, NoRoot
from cloud.machines.nspawn.layers import base_layer, folder_layer
from local.model_server.standin import PACKAGE, WEIGHTS, read_weights_header, weights_path

CACHE = FOLDER.with_name("boot-layers")
PLACE = "/opt/stand-ins/lib"
"""The folder of a container that Python reads the packages from."""
NEEDED = (
    *(
        "aiohappyeyeballs",
        "aiohttp",
        "aiosignal",
        "annotated-types",
        "attrs",
        "click",
        "frozenlist",
        "h11",
        "httptools",
    ),
    *(
        "idna",
        "jinja2",
        "markupsafe",
        "msgspec",
        "multidict",
        "packaging",
        "pathspec",
        "prometheus-client",
        "propcache",
    ),
    *("pydantic", "pydantic-core", "pyyaml", "typing-extensions", "typing-inspection", "uvicorn", "uvloop", "yarl"),
)
"""What the stand-ins import, and what that needs. It is pinned as for this machine's Python."""
_PINS = PROJECT / "requirements-local.txt"
_HEAD = 4 << 20
"""Bytes of the weights that have the header: of the model, a container needs only its facts."""
_COMPILE = """
set -e
mount --bind "$1" "$2/mnt"
exec chroot "$2" /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash -s /mnt -p "$3" /mnt
"""


def lowest_layer(root: Path, say: Callable[[str], None]) -> Path:
    """Return the file of the layer that does not change with this project: Debian's programs, and the packages.

    Raises:
        NoRoot: pip could not download the packages.
    """
    python = next(path.name.removeprefix("python") for path in (root / "usr/lib").glob("python3.*") if path.is_dir())
    pins = [line for line in _PINS.read_text().splitlines() if line.partition("==")[0] in NEEDED]
    makes = Path(base_layer.__code__.co_filename).read_text()
    whole = "\n".join([(root / "servestack-stamp").read_text(), makes, python, *pins])
    file = CACHE / f"{hashlib.sha256(whole.encode()).hexdigest()[:16]}.tar"
    if not file.exists():
        say("Making the lowest layer of the container images (0.1 GB, once) …")
        shutil.rmtree(CACHE, ignore_errors=True)
        folder = CACHE / f"packages.{os.getpid()}"
        try:
            _install(pins, python, folder)
            compile_python(folder, root)
            base_layer(root, file, {PLACE: folder})
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return file


def project_layer(root: Path, folder: Path) -> Path:
    """Write the layer with this project, and the facts of the small model, into `folder`. Return its file."""
    contents, file = folder / "project", folder / "project.tar"
    shutil.rmtree(contents, ignore_errors=True)
    for name in OURS:
        shutil.copytree(PROJECT / name, contents / name, ignore=shutil.ignore_patterns("__pycache__"))
    weights = contents / PACKAGE / WEIGHTS
    weights.parent.mkdir()
    (weights.parent / "__init__.py").touch()
    with weights_path().open("rb") as whole:
        weights.write_bytes(whole.read(_HEAD))
    read_weights_header(weights)
    compile_python(contents, root)
    folder_layer(contents, file, place=PLACE)
    shutil.rmtree(contents)
    return file


def compile_python(folder: Path, root: Path) -> None:
    """Compile the modules in `folder` with Debian's Python, so that a container starts as fast as a real one."""
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _COMPILE, "sh"]
    subprocess.run([*command, str(folder), str(root), PLACE], check=True, stdin=subprocess.DEVNULL)


def _install(pins: list[str], python: str, folder: Path) -> None:
    machine = os.uname().machine
    platforms = [f"manylinux_2_28_{machine}", f"manylinux_2_17_{machine}", f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    command += [*(f"--platform={platform}" for platform in platforms), f"--target={folder}", *pins]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise NoRoot(
            f"pip could not install the packages of the container images:\n{done.stderr[-2000:]}\n"
            "Check the network, or set PIP_INDEX_URL to a package index that is within reach, and start again"
        )
