"""Wait until a service serves, and say why when it does not.

`wait_until_serving` polls target health, instance refreshes, scaling activities and the state items of replicas. It
returns when a replica of the expected version is healthy. Otherwise it stops the billed instances and raises the cause.
"""

from infra.readiness.awaited import Awaited, NotServingError, Served
from infra.readiness.clients import Clients, Clock, Table, WallClock, aws_clients, client_maker, clients_from
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
    "client_maker",
    "clients_from",
    "release",
    "wait_until_serving",
]
