"""The instance metadata service of EC2, version 2: a token first, then data.

cloud-init alone gets data without a token. It asks for one only if the machine's firmware says that it is on EC2, and
the machines here have no firmware.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from cloud.control_plane.client import ControlPlane, Refused
from cloud.machines.http_server import Server
from cloud.machines.spec import Spec

TOKEN = "the-token"  # noqa: S105 (one is as good as another: the address is the machine's own)
ROLE = "replica"
Notice = Mapping[str, float | None]
"""As `ControlPlane.spot_notice` has it."""
ACTION, TERMINATION = "meta-data/spot/instance-action", "meta-data/spot/termination-time"
RECOMMENDATION = "meta-data/events/recommendations/rebalance"
"""These are not there until EC2 has something to say (EC2 user guide)."""
_CREDENTIALS = "meta-data/iam/security-credentials/"


class Metadata(Server):
    """The service of one instance."""

    def __init__(
        self,
        *,
        address: str,
        port: int = 80,
        instance: str,
        region: str,
        user_data: bytes,
        type: str = "g6.xlarge",
        zone: str | None = None,
        image: str = "ami-0123456789abcdef0",
        role: str | None = ROLE,
        notice: Callable[[], Notice] = dict[str, float | None],
    ) -> None:
        """`user_data` is what EC2 gives: decoded from base64. `port`: 0 for a free one. `role`: `None` for no role.
        `notice`: what a spot instance is told."""
        roles: Mapping[str, bytes] = {} if role is None else {f"{_CREDENTIALS}{role}": b""}
        leaves: Mapping[str, bytes] = {
            "user-data": user_data,
            "meta-data/ami-id": image.encode(),
            "meta-data/hostname": b"replica",
            "meta-data/instance-id": instance.encode(),
            "meta-data/instance-type": type.encode(),
            "meta-data/services/domain": b"amazonaws.com",
            **roles,
            "meta-data/placement/availability-zone": (zone or f"{region}a").encode(),
            "meta-data/placement/region": region.encode(),
            "dynamic/instance-identity/document": json.dumps({"instanceId": instance, "region": region}).encode(),
        }
        self._notice = notice
        self._credentials = f"{_CREDENTIALS}{role}"
        self._data = {**_listings(leaves), **leaves}
        super().__init__(address, port)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.command == "PUT":
            self.send(request, 200, TOKEN.encode(), {"X-aws-ec2-metadata-token-ttl-seconds": "300"})
            return
        is_cloud_init = request.headers.get("User-Agent", "").startswith("Cloud-Init/")
        if request.headers.get("X-aws-ec2-metadata-token") != TOKEN and not is_cloud_init:
            self.send(request, 401, b"")
            return
        _, _, path = request.path.lstrip("/").partition("/")  # the version comes first: `latest`, or a date
        if path == self._credentials:
            data = _new_credentials()
        elif path in (ACTION, TERMINATION, RECOMMENDATION):
            data = _told(self._notice()).get(path)
        else:
            data = self._data.get(path)
        self.send(request, 404 if data is None else 200, data or b"")


def metadata_of(spec: Spec, user_data: bytes, *, address: str, port: int = 80) -> Metadata:
    """Return the service of a machine. `user_data`: as it is, decoded from base64. `port`: 0 for a free one."""
    return Metadata(
        address=address,
        port=port,
        instance=spec.instance,
        region=spec.region,
        zone=spec.zone,
        type=spec.type,
        image=spec.image,
        role=spec.role,
        user_data=user_data,
        notice=lambda: asked_notice(spec.endpoint, spec.instance),
    )


def asked_notice(control_plane: str, instance: str) -> Notice:
    """Ask the control plane what EC2 has told an instance. Nothing, if it does not answer."""
    try:
        return ControlPlane(control_plane).spot_notice(instance)
    except (OSError, Refused):
        return {}


def _told(notice: Notice) -> Mapping[str, bytes]:
    """What a notice is in the metadata, by path."""
    told: dict[str, bytes] = {}
    if recommended := notice.get("recommended"):
        told[RECOMMENDATION] = json.dumps({"noticeTime": _moment(recommended)}, separators=(",", ":")).encode()
    if ends := notice.get("ends"):
        told[ACTION] = json.dumps({"action": "terminate", "time": _moment(ends)}, separators=(",", ":")).encode()
        told[TERMINATION] = _moment(ends).encode()
    return told


def _moment(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _listings(leaves: Iterable[str]) -> Mapping[str, bytes]:
    """Return what each folder answers. cloud-init asks for every folder that is listed, and needs all of them."""
    found: dict[str, set[str]] = {}
    for path in leaves:
        *folders, name = path.split("/")
        for depth in range(len(folders), 0, -1):
            found.setdefault("/".join(folders[:depth]) + "/", set()).add(name)
            name = f"{folders[depth - 1]}/"
    return {folder: "\n".join(sorted(names)).encode() for folder, names in found.items()}


def _new_credentials() -> bytes:
    """Return credentials in the form that EC2 has: a member a line."""
    now = datetime.now(UTC)
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "Type": "AWS-HMAC",
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "secret",
            "Token": "session",
            "Expiration": f"{now + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}",
        },
        indent=2,
        separators=(",", " : "),
    ).encode()
