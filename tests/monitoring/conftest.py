"""The machine whose lines become metrics."""

from tests.boot.conftest import machine

__all__ = ["machine"]
