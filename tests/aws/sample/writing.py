"""How the sample's resources are written down, and the policies in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

REGION = "eu-central-1"

Resources: TypeAlias = tuple[tuple[str, str, Mapping[str, Any]], ...]
"""(logical name, type, inputs), in the order in which they are made. `=network.id` is an output of one above."""


def assumed_by(service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return _document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def policy(*actions: str) -> str:
    return _document({"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def _document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
