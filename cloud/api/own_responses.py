"""The answers that the API itself gives: its gateway responses, with the deployed texts.

Types and numbers: apigateway/latest/developerguide/supported-gateway-response-types.html. A function that is throttled
is an INTEGRATION_FAILURE, 500 unless customized. A function that fails, or whose answer cannot be read, is a 502
without a type of its own; the table calls it FUNCTION_FAILED.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud.api.context import filled
from cloud.api.deployed import CustomResponse, Deployment

JSON = "application/json"
_TEMPLATE = '{"message":$context.error.messageString}'
_NONE = CustomResponse(None, {}, {})


@dataclass(frozen=True)
class OwnResponse:
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    context: Mapping[str, object]
    """What the access log says of the error."""


@dataclass(frozen=True)
class _Kind:
    status: int
    error: str
    message: str


def _table() -> Mapping[str, _Kind]:
    with Path(__file__).with_name("own_responses.csv").open(encoding="utf-8", newline="") as file:
        return {row["type"]: _Kind(int(row["status"]), row["error"], row["message"]) for row in csv.DictReader(file)}


_KINDS = _table()


def own_response(kind: str, deployment: Deployment | None, context: Mapping[str, object]) -> OwnResponse:
    """Return the response of a type in `own_responses.csv`. `deployment`: `None` where no API answers."""
    default = _KINDS[kind]
    error = {
        "error.message": default.message,
        "error.messageString": json.dumps(default.message),
        "error.responseType": kind,
    }
    custom = _NONE if deployment is None else _custom(kind, default.status, deployment.responses)
    status = int(custom.status or default.status)
    media, template = next(iter(custom.templates.items()), (JSON, _TEMPLATE))
    body = filled(template, {**context, **error})
    headers = {"content-type": media, "x-amzn-errortype": default.error}
    headers |= {name.lower(): value for name, value in custom.headers.items()}
    return OwnResponse(status, headers, body.encode(), error)


def _custom(kind: str, status: int, responses: Mapping[str, CustomResponse]) -> CustomResponse:
    return responses.get(kind) or responses.get(f"DEFAULT_{status // 100}XX") or _NONE
