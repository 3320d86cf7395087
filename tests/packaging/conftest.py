"""A project's folder with a gateway, and a package index that is a folder of wheels: no network."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

NOWHERE = "http://127.0.0.1:9/simple"


@dataclass
class Project:
    """A project's root, and wheels that pip finds."""

    root: Path
    wheels: Path

    def add_wheel(
        self,
        name: str,
        files: dict[str, bytes],
        *,
        tag: str = "py3-none-any",
        pin: str = "{pin}",
        packing: int = zipfile.ZIP_STORED,
    ) -> None:
        """Put a wheel into the index, and its pin into requirements-lambda.txt; `pin` may add a marker."""
        info = f"{name}-1.0.dist-info"
        described = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
            f"{info}/RECORD": b"",
            f"{info}/licenses/LICENSE": b"free",
        }
        path = self.wheels / f"{name}-1.0-{tag}.whl"
        with zipfile.ZipFile(path, "w", packing) as archive:
            for inside, data in {**files, **described}.items():
                archive.writestr(inside, data)
        requirement = pin.format(pin=f"{name}==1.0")
        with (self.root / "requirements-lambda.txt").open("a") as file:
            file.write(f"{requirement} \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A small gateway and one package."""
    root = tmp_path / "project"
    wheels = tmp_path / "wheels"
    wheels.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "app.py", "registry/__init__.py", "registry/table.py"):
        path = root / "gateway_lambda" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NAME = {name!r}\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project = Project(root, wheels)
    project.add_wheel("first", {"first/__init__.py": b"ONE = 1\n", "first/py.typed": b"", "first/__init__.pyi": b""})
    return project
