"""The process: load balancers of a control plane that runs beside it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.cloud.control_plane.conftest import Running, end, start
from tests.cloud.load_balancer.played import said
from tests.support.ports import held_port

SPEED = 60
"""A minute is a second."""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("control_plane")
    with held_port() as port:
        running = start(folder, "--speed", str(SPEED), "--load-balancer-ports", str(port))
        yield running
        end(running)


@pytest.fixture(scope="module")
def balancers(plane: Running) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "cloud.load_balancer", "--control-plane", plane.url, "--speed", str(SPEED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(100) == 0, "it ends with its standard input"


def test_a_service_is_reached_through_its_load_balancer_until_it_is_taken_away(
    plane: Running, balancers: subprocess.Popen[bytes]
) -> None:
    ec2, elbv2, cloudwatch = map(plane.client, ("ec2", "elbv2", "cloudwatch"))
    subnets = ec2.describe_subnets()["Subnets"][:2]
    balancer = elbv2.create_load_balancer(
        Name="gateway", Subnets=[one["SubnetId"] for one in subnets], Scheme="internal"
    )["LoadBalancers"][0]
    fixed = {"StatusCode": "404", "ContentType": "application/json", "MessageBody": "{}"}
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )["Listeners"][0]["ListenerArn"]
    url = f"http://{balancer['DNSName']}/"
    _until(lambda: _status(url) == 404)

    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="g5.xlarge")["Instances"][0]
    id = instance["InstanceId"]
    plane.cloud.instance_became(id, "running")
    [address] = [one["address"] for one in plane.cloud.instances() if one["id"] == id]
    go = threading.Event()
    with _listening(address, go) as port:
        group = elbv2.create_target_group(
            Name="run",
            Protocol="HTTP",
            Port=port,
            VpcId=subnets[0]["VpcId"],
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        # 50 seconds of the clock: before their end, nothing cuts the answer that the target still sends.
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": str(50 * SPEED)}
        elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        elbv2.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "host-header", "Values": ["run.internal"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": id}])

        suffix = balancer["LoadBalancerArn"].split(":loadbalancer/")[1]

        def counted(name: str) -> float:
            now = datetime.now(UTC)
            found = cloudwatch.get_metric_statistics(
                Namespace="AWS/ApplicationELB",
                MetricName=name,
                Dimensions=[
                    {"Name": "LoadBalancer", "Value": suffix},
                    {"Name": "TargetGroup", "Value": group.rsplit(":", 1)[1]},
                ],
                StartTime=now - timedelta(hours=1),
                EndTime=now + timedelta(hours=1),
                Period=7200,
                Statistics=["Sum"],
            )
            return sum(point["Sum"] for point in found["Datapoints"])

        def health() -> list[str]:
            described = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return [one["TargetHealth"]["State"] for one in described]

        _until(lambda: health() == ["healthy"])
        _until(lambda: counted("HealthyHostCount") > 0)
        answered = [httpx.get(url, headers={"Host": "run.internal"}, timeout=100).text for _ in range(3)]
        pieces: list[str] = []
        with httpx.stream("GET", f"{url}held", headers={"Host": "run.internal"}, timeout=100) as stream:
            read = stream.iter_text()
            pieces.append(next(read))
            elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": id}])
            asked: list[int | None] = []
            _until(lambda: asked.append(_status(url, "run.internal")) or asked[-1] == 503)
            draining = health()
            go.set()
            pieces.extend(read)
        _until(lambda: health() == [])
    assert (answered, pieces, draining) == ([f"{address} run.internal"] * 3, ["first,", "last"], ["draining"])

    served = 4 + asked.count(200)  # the load balancer hears of a deregistration a moment later
    for name in ("RequestCount", "HTTPCode_Target_2XX_Count", "RequestCountPerTarget"):
        _until(lambda name=name: counted(name) == served)
    elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    _until(lambda: _status(url) is None)
    ec2.terminate_instances(InstanceIds=[id])
    plane.cloud.instance_became(id, "terminated")


@contextmanager
def _listening(address: str, go: threading.Event) -> Iterator[int]:
    """A replica at the address of an instance."""

    class Replica(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != "/held":
                return said(self, f"{address} {self.headers['Host']}")
            self.send_response_only(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"first,")
            self.wfile.flush()
            assert go.wait(100)
            return self.wfile.write(b"last") and None

        def log_message(self, format: str, *arguments: Any) -> None:
            del format, arguments

    server = ThreadingHTTPServer((address, 0), Replica)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _status(url: str, host: str = "other") -> int | None:
    """The status; `None`: nobody listens; 0: the load balancer ended before its answer."""
    try:
        return httpx.get(url, headers={"Host": host}, timeout=100).status_code
    except httpx.ConnectError:
        return None
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        return 0


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen within 100 seconds")
        time.sleep(0.05)
