"""A stand-in for the Lambda Web Adapter, for machines without the real one. It does what `response_stream` mode does.

It takes events from the Runtime API, asks the function's own web server, and writes status, headers and cookies as
metadata before the payload (aws/aws-lambda-web-adapter, src/lib.rs, and the crate lambda_http).
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from cloud.api.answer import DELIMITER
from cloud.api.runtime_api import Invocation, RuntimeApi
from cloud.api.serving import listens

_STREAMING = {"lambda-runtime-function-response-mode": "streaming"}
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that the client would add by itself."""
_IN_PATHS = "/:@!$&'()*+,;=~%[]|^"
"""What is left as it is in a path, beside letters, digits and `_.-`."""
_CUT = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: \r\n\r\n"
"""What the adapter adds to the payload of a response that broke off."""


class Adapter:
    """Connects a web server on a port of this machine with a Runtime API."""

    def __init__(self, runtime: RuntimeApi, port: int) -> None:
        self._runtime = runtime
        self._port = port

    async def run(self) -> None:
        """Answer events, one after the other, until the Runtime API closes."""
        await listens(self._port)
        timeouts = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            timeout=timeouts, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as web:
            while (invocation := await self._runtime.next()) is not None:
                try:
                    await self._answer(web, invocation)
                except (aiohttp.ClientError, OSError) as error:
                    invocation.begin({})
                    text = {"errorType": "hyper_util::client::legacy::Error", "errorMessage": str(error)}
                    await invocation.add(json.dumps(text).encode())
                    await invocation.end("error")
                self._runtime.done(invocation)

    async def _answer(self, web: aiohttp.ClientSession, invocation: Invocation) -> None:
        event: Mapping[str, Any] = json.loads(invocation.event)
        async with web.request(
            event["httpMethod"],
            self._url(event),
            headers=_headers(event, invocation),
            data=_body(event),
            allow_redirects=False,
            skip_auto_headers=_AUTOMATIC,
        ) as response:
            invocation.begin(_STREAMING)
            await invocation.add(_metadata(response) + DELIMITER)
            try:
                async for piece in response.content.iter_any():
                    await invocation.add(piece)
            except aiohttp.ClientError:
                await invocation.add(_CUT)
            await invocation.end("response")

    def _url(self, event: Mapping[str, Any]) -> URL:
        path = quote(_resolved(event["path"]), safe=_IN_PATHS)
        query = urlencode(event["multiValueQueryStringParameters"] or {}, doseq=True)
        return URL(f"http://127.0.0.1:{self._port}{path}{'?' if query else ''}{query}", encoded=True)


def _resolved(path: str) -> str:
    """Return the path without `.` and `..`, as a browser resolves it."""
    parts: list[str] = []
    given = path.replace("\\", "/").split("/")[1:]
    for number, part in enumerate(given):
        plain = re.sub("%2e", ".", part, flags=re.IGNORECASE)
        if plain == "..":
            parts = parts[:-1]
        if plain not in (".", ".."):
            parts.append(part)
        elif number == len(given) - 1:
            parts.append("")
    return "/" + "/".join(parts)


def _headers(event: Mapping[str, Any], invocation: Invocation) -> CIMultiDict[str]:
    headers = CIMultiDict[str]()
    for name, values in event["multiValueHeaders"].items():
        headers.extend((name, value) for value in values)
    for name, value in event["headers"].items():
        headers[name] = value
    headers.popall("content-length", None)
    headers["x-amzn-request-context"] = json.dumps(event["requestContext"], separators=(",", ":"))
    context = {
        "request_id": invocation.id,
        "deadline": int(invocation.deadline * 1000),
        "invoked_function_arn": invocation.function,
    }
    headers["x-amzn-lambda-context"] = json.dumps(context, separators=(",", ":"))
    return headers


def _body(event: Mapping[str, Any]) -> io.BytesIO | None:
    body = event["body"]
    if body is None:
        return None
    return io.BytesIO(base64.b64decode(body) if event["isBase64Encoded"] else body.encode())


def _metadata(response: aiohttp.ClientResponse) -> bytes:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw, value in response.raw_headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(text)
        elif name != "transfer-encoding":
            headers[name] = text
    return json.dumps({"statusCode": response.status, "headers": headers, "cookies": cookies}).encode()
