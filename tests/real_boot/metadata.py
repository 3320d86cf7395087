"""The instance metadata service of EC2, version 2: a token first, then data.

cloud-init alone gets data without a token. It asks for one only if the machine's firmware says that it is on EC2, and a
container has no firmware.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from tests.real_boot.serving import Server

TOKEN = "the-token"
ROLE = "replica"


class Metadata(Server):
    """The service of one instance."""

    def __init__(self, *, address: str, instance: str, region: str, user_data: bytes) -> None:
        """`user_data` is what EC2 gives: decoded from base64."""
        self._data: Mapping[str, bytes] = {
            "user-data": user_data,
            "meta-data/": b"ami-id\nhostname\niam/\ninstance-id\ninstance-type\nplacement/",
            "meta-data/ami-id": b"ami-0123456789abcdef0",
            "meta-data/hostname": b"replica",
            "meta-data/instance-id": instance.encode(),
            "meta-data/instance-type": b"g6.xlarge",
            "meta-data/iam/": b"security-credentials/",
            "meta-data/iam/security-credentials/": ROLE.encode(),
            f"meta-data/iam/security-credentials/{ROLE}": _credentials(),
            "meta-data/placement/": b"availability-zone\nregion",
            "meta-data/placement/availability-zone": f"{region}a".encode(),
            "meta-data/placement/region": region.encode(),
            "dynamic/instance-identity/document": json.dumps({"instanceId": instance, "region": region}).encode(),
        }
        super().__init__(address, 80)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.command == "PUT":
            self.send(request, 200, TOKEN.encode(), {"X-aws-ec2-metadata-token-ttl-seconds": "300"})
            return
        is_cloud_init = request.headers.get("User-Agent", "").startswith("Cloud-Init/")
        if request.headers.get("X-aws-ec2-metadata-token") != TOKEN and not is_cloud_init:
            self.send(request, 401, b"")
            return
        _, _, path = request.path.lstrip("/").partition("/")  # the version comes first: `latest`, or a date
        data = self._data.get(path)
        self.send(request, 404 if data is None else 200, data or b"")


def _credentials() -> bytes:
    now = datetime.now(UTC)
    return json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "secret",
            "Token": "session",
            "Expiration": f"{now + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}",
        }
    ).encode()
