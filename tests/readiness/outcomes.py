"""The result and the printed lines of a wait, and the lines that many waits share."""

from __future__ import annotations

from dataclasses import replace

from infra.readiness import NotServingError, Served, wait_until_serving
from tests.readiness.cloud import AWAITED, GROUP, Cloud

A, B, OLD = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb", "i-00000000000000000"
LOGS = f'make logs STACK=yellow-cat-1 ARGS="--replica {A} --since 1d"'
FIRST = "[ 0:00] waiting until yellow-cat-1 serves; a replica has 30 minutes to start"
STARTED = f"{A} (g5.xlarge, us-east-1a): started"
GOING_ON = (
    "Nothing was stopped: the replicas keep running and are billed. Stop them with: aws autoscaling "
    f"update-auto-scaling-group --auto-scaling-group-name {GROUP} --min-size 0 --desired-capacity 0 --region us-east-1"
)
ENDED = "The group is set to zero and its instances have ended. They are no longer billed."
TAKEN = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated."


def waits(cloud: Cloud, **changed: object) -> tuple[Served | str, list[str]]:
    """Return the result of a wait and the lines that it printed."""
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
