"""An image registry that images can only be pulled from."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from cloud.machines.http_server import Server
from cloud.machines.nspawn.container_image import Image
from cloud.machines.nspawn.layers import Blob


@dataclass(frozen=True)
class Refusal:
    """An error of a registry."""

    status: int
    code: str
    message: str


UNKNOWN = Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")


class ImageRegistry(Server):
    """It listens from the start until `close`. Subclasses say which images there are, and who may have them."""

    def __init__(self, address: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """`context`: with it, the registry speaks TLS."""
        self._known: dict[str, Image] = {}
        """By the digest of the manifest: docker asks for it by the tag first, and then by the digest."""
        super().__init__(address, port, context)

    def image(self, request: BaseHTTPRequestHandler, repository: str, tag: str) -> Image | Refusal:
        """Return the image of this tag."""
        raise NotImplementedError

    def refuses(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether the request was answered already, because its sender must log in."""
        return False

    def before_chunk(self, number: int) -> None:
        """Called before each megabyte of a layer, which are counted from 0."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.refuses(request):
            return
        parts = request.path.partition("?")[0].strip("/").split("/")
        if parts == ["v2"]:
            self.send(request, 200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
            return
        repository, kind, reference = "/".join(parts[1:-2]), parts[-2:-1], parts[-1]
        if kind == ["manifests"]:
            self._send_manifest(request, repository, reference)
        elif kind == ["blobs"] and (part := self._blob(reference)) is not None:
            self._send_blob(request, part)
        else:
            self.refuse(request, Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry"))

    def refuse(
        self, request: BaseHTTPRequestHandler, refusal: Refusal, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an error."""
        body = json.dumps({"errors": [{"code": refusal.code, "message": refusal.message}]}).encode()
        self.send(request, refusal.status, body, {"Content-Type": "application/json", **(headers or {})})

    def _send_manifest(self, request: BaseHTTPRequestHandler, repository: str, reference: str) -> None:
        found = self._known.get(reference) or self.image(request, repository, reference)
        if isinstance(found, Refusal):
            self.refuse(request, found)
            return
        manifest = found.manifest
        self._known[manifest.digest] = found
        headers = {"Content-Type": found.manifest_type, "Docker-Content-Digest": manifest.digest}
        self.send(request, 200, b"".join(manifest.chunks()), headers)

    def _blob(self, digest: str) -> Blob | None:
        return next((image.blobs[digest] for image in self._known.values() if digest in image.blobs), None)

    def _send_blob(self, request: BaseHTTPRequestHandler, part: Blob) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(part.size))
        request.end_headers()
        for number, chunk in enumerate(part.chunks()):
            self.before_chunk(number)
            request.wfile.write(chunk)
