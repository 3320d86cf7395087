"""A container image as a registry has it: a manifest, a configuration, and layers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.machines.nspawn.layers import Blob, blob

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@dataclass(frozen=True)
class Image:
    """An image as a registry has it."""

    manifest: Blob
    blobs: Mapping[str, Blob]
    """By digest."""
    manifest_type: str = _MANIFEST


def image(
    layers: Sequence[Blob],
    *,
    command: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    user: str = "",
) -> Image:
    """Return an image of these layers, the lowest first, with its own entrypoint, command and variables."""
    settings = {
        "Entrypoint": list(entrypoint) or None,
        "Cmd": list(command),
        "Env": [f"{name}={value}" for name, value in (environment or {"PATH": "/usr/bin"}).items()],
        "WorkingDir": "/",
        "User": user,
    }
    root = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "config": settings, "rootfs": root}).encode())
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(config, _CONFIG),
            "layers": [_described(layer, _LAYER) for layer in layers],
        }
    )
    return Image(blob(manifest.encode()), {each.digest: each for each in (config, *layers)})


def image_for(architecture: str, inner: Image) -> Image:
    """Return an image that exists for this architecture alone, as a list of manifests with one entry."""
    entry = {**_described(inner.manifest, _MANIFEST), "platform": {"architecture": architecture, "os": "linux"}}
    listed = json.dumps({"schemaVersion": 2, "mediaType": _LIST, "manifests": [entry]})
    return Image(blob(listed.encode()), {}, _LIST)


def _described(part: Blob, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "size": part.size, "digest": part.digest}
