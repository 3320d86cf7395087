"""Images in messages for vision models, and the guard against other images.

TGI treats each `![](URL)` in the text as an image, whoever wrote it, and fetches http(s) URLs itself
(docs/translation.md#images). So an allowed image goes through the template as a mark that no caller can guess. Then
every `![](` of the rendered text is broken, and the marks are replaced by the images.
"""

from __future__ import annotations

import binascii
import re
import secrets
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from gateway_lambda.templates.errors import MessagesRefused
from gateway_lambda.templates.json_value import Json

_DATA_URI: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,")
_UNSAFE_IN_URL: Final = re.compile(r"[^!-~]|\\")
"""Spaces, control characters, non-ASCII and backslashes: URL parsers disagree about hosts that hold them."""
_OPENING: Final = "![]("
_BROKEN_OPENING: Final = "!\u200b[]("


class ImageGuard:
    """Checks the images of one request. `hosts`: where http(s) images may come from, `name` or `name:port`."""

    def __init__(self, *, vision: bool, hosts: Collection[str] = ()) -> None:
        self._vision = vision
        self._hosts = hosts
        self._mark = ""
        self._urls: list[str] = []

    def admit(self, image: Json, *, param: str, part: int) -> str:
        """Return the mark for an `image_url` part in the template's input. Raises `MessagesRefused`."""
        if not self._vision:
            raise MessagesRefused(
                f"{param} part {part}: this model takes no images", param=param, code="unsupported_value"
            )
        url = image.get("url") if type(image) is dict else image
        if type(url) is not str:
            raise MessagesRefused(
                f"{param} part {part}: image_url.url must be a string", param=param, code="invalid_type"
            )
        problem = self._problem_with(url)
        if problem:
            raise MessagesRefused(f"{param} part {part}: {problem}", param=param, code="invalid_value")
        if not self._mark:
            self._mark = secrets.token_hex(16)
        self._urls.append(url.replace(")", "%29"))
        return f"{self._mark}-{len(self._urls) - 1}-"

    def place(self, text: str) -> str:
        """Return the rendered text with other images broken by U+200B, and the allowed images in their places."""
        if not self._vision:
            return text
        text = text.replace(_OPENING, _BROKEN_OPENING)
        if not self._urls:
            return text
        return re.sub(rf"{self._mark}-(\d+)-", lambda match: f"{_OPENING}{self._urls[int(match[1])]})", text)

    def check_written(self, text: str, *, param: str) -> None:
        """Check the images that a caller wrote into a prompt without a template. Raises `MessagesRefused`.

        They are found as TGI finds them: from the opening to the next bracket.
        """
        start = text.find(_OPENING) if self._vision else -1
        while start >= 0 and (end := text.find(")", start)) >= 0:
            problem = self._problem_with(text[start + len(_OPENING) : end])
            if problem:
                raise MessagesRefused(f"{param}: {problem}", param=param, code="invalid_value")
            start = text.find(_OPENING, end)

    def _problem_with(self, url: str) -> str | None:
        if url.startswith("data:"):
            return _problem_with_data(url)
        if _UNSAFE_IN_URL.search(url):
            return "the image URL has characters other than printable ASCII, or a backslash; percent-encode them"
        try:
            address = urlsplit(url)
            host, port = (address.hostname or "").lower(), address.port
        except ValueError:
            return "the image URL is not valid"
        if address.scheme not in ("http", "https"):
            return "the image is neither a data: URI nor an http(s) URL"
        if "@" in address.netloc or not host:
            return "the image URL has a user, or no host"
        usual = port is None or port == (443 if address.scheme == "https" else 80)
        if f"{host}:{port}" in self._hosts or (usual and host in self._hosts):
            return None
        return f"images from {host[:253]!r} are not allowed; send the image as a data: URI"


def _problem_with_data(url: str) -> str | None:
    match = _DATA_URI.match(url)
    if match is None:
        return "the data: URI is not image/png, image/jpeg, image/gif or image/webp as base64"
    try:
        binascii.a2b_base64(url[match.end() :].encode("ascii"), strict_mode=True)
    except ValueError:
        return "the data: URI is not valid base64"
    return None
