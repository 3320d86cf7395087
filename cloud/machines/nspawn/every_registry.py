"""All image registries of the world, on one address of a machine: each name has its certificate, and each image is made
from scratch, with the stand-ins of the real image's programs in it."""

from __future__ import annotations

import base64
import binascii
import shutil
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cloud.machines.docker.file_system import MODEL, make_root
from cloud.machines.docker.images import image_named
from cloud.machines.docker.pulling import WRONG_PASSWORD
from cloud.machines.nspawn.container_image import Image, image, image_for
from cloud.machines.nspawn.image_registry import UNKNOWN, ImageRegistry, Refusal
from cloud.machines.nspawn.layers import Blob, folder_layer
from cloud.machines.nspawn.packages import PLACE

_DOCKER_HUB = "registry-1.docker.io"
_ANYBODY, _USER = "anybody", "user"
"""Tokens: without a login, and with one."""
_WRONG = Refusal(401, "UNAUTHORIZED", "incorrect username or password")
_REFUSALS: Mapping[str, Refusal] = {
    "not found": UNKNOWN,
    "denied": Refusal(403, "DENIED", "requested access to the resource is denied"),
    "limited": Refusal(
        429,
        "TOOMANYREQUESTS",
        "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
    ),
}
"""By the word of images.csv."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the images of a machine have."""

    layers: Sequence[Blob]
    """Debian's programs, the packages, and this project."""
    tables: Path
    """The folder with images.csv and programs.csv."""
    port: int
    """The port of the container that is published; 0: not known."""
    models: Mapping[str, str]
    """The addresses of the shared models, and the key that opens them, by the name of the file that has it."""
    nvidia_smi: Path | None
    """The program that NVIDIA's toolkit adds, on a machine with GPUs."""


class EveryRegistry(ImageRegistry):
    """The registry of one machine, under all names."""

    def __init__(
        self, address: str, folder: Path, context: ssl.SSLContext, contents: Contents, *, port: int = 443
    ) -> None:
        """`folder`: for files of images that are being made. `context`: shows a certificate for each name."""
        self._folder, self._contents = folder, contents
        self._images: dict[str, Image] = {}
        self._making = threading.Lock()
        super().__init__(address, port, context)

    def refuses(self, request: BaseHTTPRequestHandler) -> bool:
        host = request.headers.get("Host", "")
        login = request.headers.get("Authorization", "")
        if request.path.startswith("/token"):
            self._send_token(request, login)
            return True
        if login.removeprefix("Bearer ") in (_ANYBODY, _USER):
            return False
        challenge = f'Bearer realm="https://{host}/token",service="{host}"'
        refusal = Refusal(401, "UNAUTHORIZED", "authentication required")
        self.refuse(request, refusal, {"WWW-Authenticate": challenge})
        return True

    def image(self, request: BaseHTTPRequestHandler, repository: str, tag: str) -> Image | Refusal:
        name = image_name(request.headers.get("Host", ""), repository, tag)
        answer = image_named(name, self._contents.tables).pull
        if answer == "login":
            logged_in = request.headers.get("Authorization", "").endswith(f" {_USER}")
            return self._made(name) if logged_in else _REFUSALS["denied"]
        if answer == "other platform":
            return image_for("arm64", self._made(name))
        return _REFUSALS.get(answer) or self._made(name)

    def _send_token(self, request: BaseHTTPRequestHandler, login: str) -> None:
        if password_of(login) in ("", WRONG_PASSWORD):
            self.refuse(request, _WRONG)
            return
        token = _USER if login else _ANYBODY
        self.send(request, 200, f'{{"token": "{token}"}}'.encode(), {"Content-Type": "application/json"})

    def _made(self, name: str) -> Image:
        with self._making:
            if name not in self._images:
                self._images[name] = self._make(name)
            return self._images[name]

    def _make(self, name: str) -> Image:
        known = image_named(name, self._contents.tables)
        root = self._folder / "image"
        shutil.rmtree(root, ignore_errors=True)
        make_root(
            root,
            known,
            port=self._contents.port,
            nvidia_smi=self._contents.nvidia_smi,
            python="/usr/bin/python3",
            packages=PLACE,
        )
        models = root / MODEL.lstrip("/")
        models.mkdir()
        for file, text in self._contents.models.items():
            (models / file).write_text(text)
        programs = folder_layer(root, self._folder / f"image-{len(self._images)}.tar")
        shutil.rmtree(root)
        layers = [*self._contents.layers, programs]
        return image(layers, entrypoint=known.entrypoint, command=known.command, environment=known.environment)


def image_name(host: str, repository: str, tag: str) -> str:
    """Return the name of an image as a configuration has it."""
    if host == _DOCKER_HUB:
        return f"{repository.removeprefix('library/')}:{tag}"
    return f"{host}/{repository}:{tag}"


def password_of(login: str) -> str | None:
    """Return the password of an Authorization header; empty for one that cannot be read, `None` without a header."""
    if not login:
        return None
    try:
        return base64.b64decode(login.removeprefix("Basic "), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
