"""Which replicas are ended, by the recorded group and target group, and by the recorded boot script.

The script runs in bash, with a clock of its own and with programs that answer as the containers of `tests.boot.lives`.
EC2 Auto Scaling's rule (health-checks-overview.html): the group ends an instance that was reported as Unhealthy, and
with `healthCheckType` ELB also one whose target is unhealthy.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.aws.recording import Recording
from tests.boot.lives import Container, Lived, live
from tests.boot.machine import INSTANCE, Machine
from tests.boot.planned import planned
from tests.components.deploying import Account

SERVICE = "type: service\nimage: registry.example.com/tgi:3\nport: 80\nreplicas: 3\nresources: {gpu: 24GB}\n"
SERVICE += "model: {name: m, chat_template: T, eos_token: E}\n"
MINUTE, HOUR = 60, 3600
OUTPUT = f"the container's output is in the log stream {INSTANCE}/container"
CRASHED = f"the container ended with status 1 before it served; {OUTPUT}"
AGAIN = ("machine ready", "GPUs found: 1", "pulling image 0 %", "starting container", "waiting for port 80")
IN_VAIN = "3 restarts did not help, so the instance is replaced"

Replicas = Callable[..., list[Lived]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    account = Account(tmp_path_factory.mktemp("account"))
    account.with_gateway("type: gateway\nbackend: aws\nregion: us-east-1\ndomain: example.com\n")
    return account.up("run", {"configuration": account.written("serve.yml", SERVICE)})


@pytest.fixture
def hung(service: Recording) -> str:
    """What a machine says of a server that hangs."""
    path = service.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]["path"]
    return f"the server served and then answered no check of GET {path} for 600 s; {OUTPUT}"


@pytest.fixture
def replicas(service: Recording, tmp_path: Path) -> Iterator[Replicas]:
    """A function that lets replicas of the service live, each with its own machine."""
    text = service.one("aws:ec2/launchTemplate:LaunchTemplate").inputs["userData"]
    machines: list[Machine] = []

    def lived(*lives: list[Container], seconds: int) -> list[Lived]:
        found: list[Lived] = []
        for containers in lives:
            script = gzip.decompress(base64.b64decode(text)).decode()
            machines.append(Machine(tmp_path / str(len(machines)), planned(), script))
            found.append(live(machines[-1], containers, seconds=seconds))
        return found

    yield lived
    for machine in machines:
        machine.end()


def gets_no_requests(service: Recording, delay: int) -> bool:
    """Whether the load balancer counts a replica as unhealthy that answers after `delay` seconds."""
    check = service.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]
    assert (check["interval"], check["timeout"], check["unhealthyThreshold"]) == (10, 5, 3)
    return delay > check["timeout"]


def is_ended(service: Recording, delay: int, lived: Lived) -> bool:
    """Whether the group ends the instance, by its own rule."""
    by_balancer = service.one("aws:autoscaling/group:Group").inputs["healthCheckType"] == "ELB"
    return lived.replaced is not None or (by_balancer and gets_no_requests(service, delay))


@pytest.mark.parametrize("delay", [30, 5 * MINUTE])
def test_a_replica_that_is_slow_gets_no_requests_and_is_neither_restarted_nor_ended(
    service: Recording, replicas: Replicas, delay: int
) -> None:
    (lived,) = replicas([Container(delay=delay)], seconds=HOUR // 2)
    assert lived == Lived(exits=(), containers=1, replaced=None, log=("serving",), item=("serving", None))
    assert gets_no_requests(service, delay)
    assert not is_ended(service, delay, lived)


def test_no_replica_is_ended_when_all_are_slow_at_once(service: Recording, replicas: Replicas) -> None:
    all_of_them = replicas(*[[Container(delay=2 * MINUTE)]] * 3, seconds=20 * MINUTE)
    unharmed = Lived(exits=(), containers=1, replaced=None, log=("serving",), item=("serving", None))
    assert all_of_them == [unharmed] * 3
    assert [is_ended(service, 2 * MINUTE, lived) for lived in all_of_them] == [False] * 3


def test_a_server_that_hangs_is_restarted_and_serves_again(service: Recording, replicas: Replicas, hung: str) -> None:
    (lived,) = replicas([Container(hangs=15 * MINUTE), Container()], seconds=HOUR // 2)
    assert lived == Lived(
        exits=(75,),
        containers=2,
        replaced=None,
        log=("serving", f"failed, trying again in 10 s: {hung}", *AGAIN, "serving"),
        item=("serving", None),
    )
    assert not is_ended(service, 0, lived)


def test_a_server_that_hangs_for_ever_is_replaced_after_three_restarts(
    service: Recording, replicas: Replicas, hung: str
) -> None:
    (lived,) = replicas([Container(hangs=15 * MINUTE), Container(hangs=61)], seconds=2 * HOUR)
    cause = f"{hung}; {IN_VAIN}"
    restart = (f"failed, trying again in 10 s: {hung}", *AGAIN, "serving")
    assert lived.replaced is not None
    assert lived == Lived(
        exits=(75, 75, 75, 78),
        containers=4,
        replaced=lived.replaced,
        log=("serving", *restart * 3, cause),
        item=("being replaced", cause),
    )
    assert is_ended(service, 0, lived)


def test_a_container_that_crashes_again_and_again_is_replaced_after_three_restarts(
    service: Recording, replicas: Replicas
) -> None:
    (lived,) = replicas([Container(ends=15 * MINUTE), Container(loads=None, ends=20)], seconds=HOUR)
    first = f"the container ended with status 1 after it had served; {OUTPUT}"
    cause = f"{CRASHED}; {IN_VAIN}"
    assert lived == Lived(
        exits=(75, 75, 75, 78),
        containers=4,
        replaced=lived.replaced,
        log=(
            *("serving", f"failed, trying again in 10 s: {first}", *AGAIN),
            *(f"failed, trying again in 20 s: {CRASHED}", *AGAIN),
            *(f"failed, trying again in 40 s: {CRASHED}", *AGAIN),
            cause,
        ),
        item=("being replaced", cause),
    )
    assert is_ended(service, 0, lived)
