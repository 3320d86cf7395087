"""What exists in the account before anything is deployed."""

from __future__ import annotations

from collections.abc import Sequence

from moto.route53.models import route53_backends

from cloud.control_plane.environment import ACCOUNT


def make(zones: Sequence[str]) -> None:
    """Make the hosted zones, and what every account has."""
    for name in zones:
        route53_backends[ACCOUNT]["global"].create_hosted_zone(name=name, private_zone=False, comment="of this cloud")
