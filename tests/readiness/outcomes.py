"""What a wait ends with and prints, and the lines that many of them have."""

from __future__ import annotations

from dataclasses import replace

from infra.readiness import NotServingError, Served, wait_until_serving
from tests.readiness.cloud import AWAITED, GROUP, Cloud

A, B, OLD = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb", "i-00000000000000000"
LOGS = f"aws logs tail /servestack/yellow-cat-1 --log-stream-names {A}/boot {A}/container --since 1d --region us-east-1"
FIRST = "[ 0:00] waiting for yellow-cat-1 to serve; a replica has 30 minutes for it"
STARTED = f"{A} (g5.xlarge, us-east-1a): started"
GOING_ON = (
    "Nothing was stopped: replicas go on, and are billed. Stop them with: aws autoscaling update-auto-scaling-group "
    f"--auto-scaling-group-name {GROUP} --min-size 0 --desired-capacity 0 --region us-east-1"
)
ENDED = "The group was set to zero and its instances have ended: nothing of it is billed any more."
TAKEN = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated."


def waits(cloud: Cloud, **changed: object) -> tuple[Served | str, list[str]]:
    """What waiting ends with, and what it printed."""
    said: list[str] = []
    try:
        ended: Served | str = wait_until_serving(
            replace(AWAITED, **changed),  # pyright: ignore[reportArgumentType]
            cloud.clients(),
            clock=cloud,
            say=said.append,
        )
    except NotServingError as error:
        ended = str(error)
    return ended, said
