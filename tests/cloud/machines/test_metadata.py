"""The metadata service, asked as cloud-init asks it: every folder that is listed, and everything in it."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest

from cloud.machines.metadata import Metadata


def read(service: Metadata, path: str, headers: Mapping[str, str]) -> bytes:
    request = urllib.request.Request(f"http://{service.address}:{service.port}/latest/{path}", headers=dict(headers))
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def walk(service: Metadata, folder: str, headers: Mapping[str, str]) -> dict[str, bytes]:
    """Return everything below a folder."""
    found: dict[str, bytes] = {}
    for name in read(service, folder, headers).decode().splitlines():
        path = f"{folder}{name}"
        found |= walk(service, path, headers) if name.endswith("/") else {path: read(service, path, headers)}
    return found


@pytest.mark.parametrize("role", ["replica", None])
def test_every_folder_that_is_listed_can_be_read(role: str | None) -> None:
    service = Metadata(
        address="127.0.0.1", port=0, instance="i-1", region="eu-west-1", user_data=b"#!/bin/sh\n", role=role
    )
    with contextlib.closing(service):
        found = walk(service, "meta-data/", {"User-Agent": "Cloud-Init/25.1"})
        credentials = found.pop("meta-data/iam/security-credentials/replica", None)
        with pytest.raises(urllib.error.HTTPError) as refused:
            read(service, "meta-data/", {})
        refused.value.close()
    assert found == {
        "meta-data/ami-id": b"ami-0123456789abcdef0",
        "meta-data/hostname": b"replica",
        "meta-data/instance-id": b"i-1",
        "meta-data/instance-type": b"g6.xlarge",
        "meta-data/placement/availability-zone": b"eu-west-1a",
        "meta-data/placement/region": b"eu-west-1",
        "meta-data/services/domain": b"amazonaws.com",
    }
    assert (credentials is not None and b'"Code" : "Success"' in credentials) == (role is not None)
    assert refused.value.code == 401
