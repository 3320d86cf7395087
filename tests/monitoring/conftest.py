"""The gateway and the machine whose lines become metrics."""

from tests.boot.conftest import machine
from tests.gateway.conftest import bench, loop

__all__ = ["bench", "loop", "machine"]
