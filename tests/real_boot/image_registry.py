"""An image registry that images can only be pulled from, with one login, and layers that can be held back."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler

from cloud.machines.http_server import Server
from tests.real_boot.container_image import Image

CHUNK = 1 << 20


class ImageRegistry(Server):
    """The registry. Names of images are their repository and tag: `tgi:3`."""

    def __init__(self, *, address: str, port: int, images: Mapping[str, Image], login: str | None = None) -> None:
        """`login` is `user:password`; `None`: everyone can pull."""
        self._images = dict(images)
        self._login = None if login is None else "Basic " + base64.b64encode(login.encode()).decode()
        self._layers_flow = threading.Event()
        self._layers_flow.set()
        self.asked_for_layer = threading.Event()
        super().__init__(address, port)

    def hold_layers(self) -> None:
        """From now on, a layer stops after its first megabyte, until `close`."""
        self._layers_flow.clear()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self._login is not None and request.headers.get("Authorization") != self._login:
            refusal = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
            self.send(request, 401, refusal, {"WWW-Authenticate": 'Basic realm="test"'})
            return
        parts = request.path.strip("/").split("/")
        if parts == ["v2"]:
            self.send(request, 200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
            return
        repository, kind, reference = "/".join(parts[1:-2]), parts[-2], parts[-1]
        if kind == "manifests" and (image := self._image(repository, reference)):
            headers = {"Content-Type": image.manifest_type, "Docker-Content-Digest": image.digest}
            self.send(request, 200, image.manifest, headers)
        elif kind == "blobs" and (blob := self._blob(repository, reference)) is not None:
            self._send_blob(request, blob)
        else:
            self.send(request, 404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')

    def close(self) -> None:
        self._layers_flow.set()
        super().close()

    def _image(self, repository: str, reference: str) -> Image | None:
        named = {name: image for name, image in self._images.items() if name.partition(":")[0] == repository}
        found = [image for name, image in named.items() if reference in (name.partition(":")[2], image.digest)]
        return found[0] if found else None

    def _blob(self, repository: str, digest: str) -> bytes | None:
        for name, image in self._images.items():
            if name.partition(":")[0] == repository and digest in image.blobs:
                return image.blobs[digest]
        return None

    def _send_blob(self, request: BaseHTTPRequestHandler, blob: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(blob)))
        request.end_headers()
        for start in range(0, len(blob), CHUNK):
            if start == CHUNK:
                self.asked_for_layer.set()
                self._layers_flow.wait()
            request.wfile.write(blob[start : start + CHUNK])
