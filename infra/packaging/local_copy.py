"""Files of this machine with a given content, for programs that take only files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.packaging.problem import PackagingError

CACHE = Path(__file__).parents[2] / ".cache" / "files"


def stored(contents: Mapping[str, bytes], folder: Path = CACHE) -> Mapping[str, Path]:
    """Write each content to `folder`, under its name, completely or not at all. Only the user can read the files.

    Raises:
        PackagingError: the folder cannot be written.
    """
    try:
        return {name: _written(folder / name, data) for name, data in contents.items()}
    except OSError as problem:
        raise PackagingError(
            f"{folder}, which stores what is uploaded, cannot be written ({problem.strerror}); make it writable"
        ) from problem


def _written(path: Path, data: bytes) -> Path:
    if path.is_file() and path.read_bytes() == data:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        fresh.write_bytes(data)
        fresh.chmod(0o600)
        os.replace(fresh, path)
    return path
