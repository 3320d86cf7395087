"""The limits of keys, and what clients see of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import openai
import pytest

from gateway_lambda.errors import GatewayError
from gateway_lambda.registry.counters import DAY, SECOND, MemoryCounters
from gateway_lambda.registry.record import Key
from gateway_lambda.routing.key_limits import KeyLimits
from tests.gateway.keys import ALL, record, secret
from tests.gateway.scripted_tgi import Asked, Write, answer, events, stream
from tests.gateway.serving import HI, Bench

THREE = {**record("three"), "requests_per_minute": 3}
NIGHT = 20_000 * DAY + 20 * 3600 * SECOND + 59 * 60 * SECOND + SECOND // 2
"""A time in nanoseconds since 1970: three hours and a minute before midnight."""
CHAT = "/v1/chat/completions"


class Asked_:
    """What the limits see of a request."""
