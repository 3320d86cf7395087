"""Calls that nothing here knows: an error that names the service and the operation, at once.

The SDKs repeat a call that ends with 500, 502, 503 or 504, or with a code of throttling: HashiCorp's provider 25 times.
So the status is 501, and the code is one that no SDK repeats and that HashiCorp's provider does not take for "this
region lacks it".
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.core.responses import BaseResponse
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from cloud.control_plane.changes import CHANGES

CODE = "UnknownToThisCloud"
BROKEN = "FailedInThisCloud"
LOG = logging.getLogger("cloud.control_plane")
_READS = ("Describe", "Get", "List", "Head", "Query", "Scan", "BatchGet", "Filter", "Lookup", "Search", "Simulate")
_DATA = ("dynamodb", "sts")
"""Services whose calls change no resource."""
_RECORDS = ("PutMetricData", "PutLogEvents", "StartQuery", "StopQuery")


class UnknownCall(Exception):
    """moto does not know a call."""


def install() -> None:
    """Make every call that moto does not know `UnknownCall`. Calls that it knows count as changes unless they read."""
    call_action: Callable[[BaseResponse], Any] = BaseResponse.call_action

    def known_or_refused(self: BaseResponse) -> Any:
        operation = _operation(self)
        try:
            answer = call_action(self)
        except NotImplementedError as error:
            raise UnknownCall(str(error)) from error
        if not operation and answer[0] == 404:
            raise UnknownCall
        if answer[0] < 300 and changes(str(self.service_name), operation):
            CHANGES.made()
        return answer

    BaseResponse.call_action = known_or_refused


def changes(service: str, operation: str) -> bool:
    """Whether an operation, `CreateTargetGroup`, changes a resource."""
    return service not in _DATA and not operation.startswith(_READS) and operation not in _RECORDS


def refusal(environ: Mapping[str, Any], body: bytes, error: Exception) -> Response:
    """The answer to a call that moto does not know, or that failed in moto, in the form that the SDK reads."""
    name = called(environ, body)
    service = name.partition(":")[0]
    if isinstance(error, UnknownCall | NotImplementedError | HTTPException):
        code, message = CODE, f"{name} is not known to this cloud"
    else:
        code, message = BROKEN, f"{name} failed in this cloud: {type(error).__name__}: {error}"
    LOG.error("%s", message, exc_info=error if code == BROKEN else None)
    content_type = environ.get("CONTENT_TYPE", "")
    if "cbor" in content_type:
        return Response(_cbor(__type=code, message=message), 501, content_type="application/cbor")
    if content_type.startswith("application/x-www-form-urlencoded") or service in ("s3", "route53"):
        text = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        form = {
            "ec2": f"<Response><Errors><Error>{text}</Error></Errors></Response>",
            "s3": f"<Error>{text}</Error>",
        }.get(service, f"<ErrorResponse><Error><Type>Sender</Type>{text}</Error></ErrorResponse>")
        return Response(form, 501, content_type="text/xml")
    members = json.dumps({"__type": code, "message": message})
    return Response(members, 501, {"x-amzn-errortype": code}, content_type="application/json")


def called(environ: Mapping[str, Any], body: bytes) -> str:
    """The call, with the service as signatures name it: `ec2:DescribeHosts`, else with its method and path."""
    scope = re.search(r"Credential=[^/]*/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else "unsigned"
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if not operation and environ["REQUEST_METHOD"] == "POST":
        operation = parse_qs(body[:4096].decode(errors="replace")).get("Action", [""])[0]
    return f"{service}:{operation or environ['REQUEST_METHOD'] + ' ' + environ['PATH_INFO']}"


def _operation(response: BaseResponse) -> str:
    try:
        return str(response._get_action() or "")  # pyright: ignore[reportPrivateUsage] (it has no public name)
    except (KeyError, NotImplementedError):
        return ""


def _cbor(**members: str) -> bytes:
    """A map of texts (RFC 8949): at most 23 members, each at most 65,535 bytes long."""
    encoded = b"".join(_cbor_text(text) for member in members.items() for text in member)
    return bytes([0xA0 | len(members)]) + encoded


def _cbor_text(text: str) -> bytes:
    content = text.encode()[:65_535]
    return b"\x79" + len(content).to_bytes(2, "big") + content
