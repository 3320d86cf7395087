"""Waiting until a service serves, and naming why it does not.

`wait_until_serving` polls target health, instance refreshes, scaling activities and what replicas say of themselves;
it ends at a healthy replica of the wanted version, or fails with the cause and stops what is billed.
"""

from infra.readiness.awaited import Awaited, NotServingError, Served
from infra.readiness.clients import Clients, Clock, Table, WallClock, aws_clients
from infra.readiness.stopping import release
from infra.readiness.waiting import wait_until_serving

__all__ = [
    "Awaited",
    "Clients",
    "Clock",
    "NotServingError",
    "Served",
    "Table",
    "WallClock",
    "aws_clients",
    "release",
    "wait_until_serving",
]
