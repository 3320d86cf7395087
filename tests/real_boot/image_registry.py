"""The image registry of a test: images that the test made, one login, and layers that can be held back."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler

from cloud.machines.nspawn.container_image import Image
from cloud.machines.nspawn.image_registry import UNKNOWN, ImageRegistry, Refusal


class GivenImages(ImageRegistry):
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

    def refuses(self, request: BaseHTTPRequestHandler) -> bool:
        refused = self._login is not None and request.headers.get("Authorization") != self._login
        if refused:
            refusal = Refusal(401, "UNAUTHORIZED", "authentication required")
            self.refuse(request, refusal, {"WWW-Authenticate": 'Basic realm="test"'})
        return refused

    def image(self, request: BaseHTTPRequestHandler, repository: str, tag: str) -> Image | Refusal:
        return self._images.get(f"{repository}:{tag}", UNKNOWN)

    def before_chunk(self, number: int) -> None:
        if number == 1:
            self.asked_for_layer.set()
            self._layers_flow.wait()

    def close(self) -> None:
        self._layers_flow.set()
        super().close()
