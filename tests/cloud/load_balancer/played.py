"""A load balancer that plays on loopback, without a control plane, and targets that do what a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from cloud.load_balancer.configuration import (
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    LoadBalancer,
    RegisteredTarget,
    Rule,
    TargetGroup,
)
from cloud.load_balancer.playing import Playing
from tests.support.http_server import serving
from tests.support.ports import held_port

REGION = "us-east-1"
ARN = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/app/gateway/50dc6c495c0c9188"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/run/73e2d6bc24d8a067"
DEFAULT = Rule(
    conditions=(), action=FixedResponse(status=404, content_type="application/json", body='{"error": "no such run"}')
)
CHECK = HealthCheck(
    path="/health", port=None, matcher="200", interval=0.05, timeout=100, healthy_threshold=2, unhealthy_threshold=2
)
"""A target on a busy machine answers late, and is healthy still."""


def group(*ports: int, draining: Sequence[int] = (), **changes: Any) -> TargetGroup:
    """A target group whose targets are ports of this machine: instance i-<port>."""
    targets = [RegisteredTarget(id=f"i-{port}", port=port, draining=port in draining) for port in ports]
    made = TargetGroup(
        arn=GROUP,
        algorithm="least_outstanding_requests",
        deregistration_delay=900,
        check=CHECK,
        targets=tuple(targets),
    )
    return replace(made, **changes)


def to_run(host: str = "run.internal", arn: str = GROUP) -> Rule:
    """The rule of a service."""
    return Rule(conditions=(Condition(field="host-header", values=(host,)),), action=Forward(groups=((arn, 1),)))


class Played:
    """A load balancer that plays in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop = loop
        self.port = port
        self.news = threading.Event()
        self.playing: Playing = self._do(self._make())

    def update(self, *groups: TargetGroup, rules: Sequence[Rule] = (to_run(), DEFAULT), **changes: Any) -> None:
        """Tell it what the control plane would say."""
        balancer = LoadBalancer(
            arn=ARN,
            region=REGION,
            address=f"127.0.0.1:{self.port}",
            idle_timeout=60,
            drop_invalid_headers=True,
            rules=tuple(rules),
            groups={one.arn: one for one in groups},
        )
        ids = [target.id for one in groups for target in one.targets]
        instances = {id: {"id": id, "state": "running", "address": "127.0.0.1"} for id in ids}
        self._do(self.playing.update(replace(balancer, **changes), instances))

    def states(self) -> dict[str, str]:
        """The state of each target, by its id."""
        return {target["id"]: target["state"] for target in self.report()["targets"]}

    def report(self) -> dict[str, Any]:
        """What the control plane would be told."""
        return self.call(lambda: self.playing.pools[GROUP].report())

    def outstanding(self) -> list[int]:
        """How many open requests each target has."""
        return self.call(lambda: [one.outstanding for one in self.playing.pools[GROUP].targets.values()])

    def until(self, **states: str) -> None:
        """Wait until targets have these states. Keys: `i_<port>`."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        self.wait_for(lambda: self.states() == wanted)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something has happened."""
        for _ in range(5000):
            if condition():
                return
            self.news.wait(0.02)
            self.news.clear()
        raise AssertionError("it did not happen within 100 seconds")

    def call(self, what: Callable[[], Any]) -> Any:
        """Return what a function returns that runs in the load balancer's thread."""

        async def called() -> Any:
            return what()

        return self._do(called())

    def close(self) -> None:
        self._do(self.playing.close())

    async def _make(self) -> Playing:
        return Playing(self.news.set)

    def _do(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(100)


@contextmanager
def played(*groups: TargetGroup, **said: Any) -> Generator[Played]:
    """A load balancer with these target groups. `said`: arguments of `Played.update`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with held_port() as port:
            one = Played(loop, port)
            one.update(*groups, **said)
            try:
                yield one
            finally:
                one.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def target(
    answer: Callable[[BaseHTTPRequestHandler], None], *, health: int | Callable[[], int] = 200
) -> Generator[int]:
    """The port of a target. `answer` gets each request that is no health check."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.close_connection = True
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            self.close_connection = False
            if self.path == "/health":
                said(self, "", status=health if isinstance(health, int) else health())
            else:
                answer(self)
            self.wfile.flush()

        def log_message(self, format: str, *arguments: Any) -> None:
            del format, arguments

    with serving(Handler) as port:
        yield port


def said(handler: BaseHTTPRequestHandler, text: str, *, status: int = 200) -> None:
    """Answer with a short text."""
    handler.send_response_only(status)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text.encode())
