"""The image of the tests: a shell, Python, and a server of numbered lines, `serve`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloud.machines.nspawn.container_image import Image, image
from cloud.machines.nspawn.layers import Blob, files_layer
from cloud.machines.stand_ins import numbered_streams


def serving_image(base: Blob, *, files: Mapping[str, str] | None = None) -> Image:
    """Return the image. `files`: more files, by path."""
    server = Path(numbered_streams.__file__).read_bytes()
    more = [(path, text.encode(), 0o644) for path, text in (files or {}).items()]
    return image([base, files_layer([("/usr/bin/serve", server, 0o755), *more])], command=["serve"])
