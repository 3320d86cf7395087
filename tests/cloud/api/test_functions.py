"""Instances of functions: how many there are, what changes of a function do to them, and how they fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.components.api import STAGE
from infra.packaging.archive import stored, zipped
from infra.packaging.contents import START_SCRIPT
from tests.cloud.api.conftest import settings
from tests.cloud.api.deployment import REGION, Cloud
from tests.cloud.api.served import Api, Response, serving_api
from tests.support.processes import wait_until

START = b"#!/bin/sh\nexec python3 -S server.py\n"
STREAMING = {"AWS_LWA_INVOKE_MODE": "response_stream"}
CODE = Path(__file__).with_name("server.py").read_bytes()


def code(version: str = "code") -> bytes:
    text = CODE.replace(b'"VERSION", "code"', f'"VERSION", "{version}"'.encode())
    return zipped({START_SCRIPT: stored(START), "server.py": stored(text)}, executable=START_SCRIPT)


class Deployed:
    """A function of its own behind an API of its own."""

    def __init__(self, cloud: Cloud, **more: Any) -> None:
        self.cloud = cloud
        self.name = f"function-{uuid.uuid4().hex[:8]}"
        self.host = f"{self.name}.localhost"
        api_settings = {key: more.pop(key) for key in ("streamed", "milliseconds") if key in more}
        variables = {**STREAMING, **more.pop("variables", {})}
        arn = cloud.function(self.name, more.pop("code", code()), variables, **more)
        self.api = cloud.api(self.name, arn, **api_settings)
        cloud.domain(self.host, self.api)

    def update(self, **changes: Any) -> None:
        client = self.cloud.client("lambda")
        if "code" in changes:
            client.update_function_code(FunctionName=self.name, ZipFile=changes.pop("code"))
        if changes:
            client.update_function_configuration(FunctionName=self.name, **changes)

    def lines(self, group: str = "functions") -> list[str]:
        """Everything in its log group, or in the API's."""
        logs = self.cloud.client("logs")
        found = logs.filter_log_events(logGroupName=f"/{group}/{self.name}", limit=1000)["events"]
        return [each["message"] for each in found]

    def metric(self, namespace: str, name: str) -> list[float]:
        names = {"AWS/Lambda": {"FunctionName": self.name}, "AWS/ApiGateway": {"ApiName": self.name, "Stage": STAGE}}
        found = self.cloud.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in names[namespace].items()],
            StartTime=0,
            EndTime=4_000_000_000,
            Period=60 * 60 * 24 * 365,
            Statistics=["SampleCount", "Sum"],
        )["Datapoints"]
        return [sum(each[kind] for each in found) for kind in ("SampleCount", "Sum")]


Deploy = Callable[..., Deployed]


@pytest.fixture(scope="module")
def running(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API in which a function has at most 4 instances, with the real web adapter where that is found."""
    folder, adapter = tmp_path_factory.mktemp("api"), shutil.which("lambda-adapter")
    with serving_api(settings(cloud, folder, most=4, adapter=adapter)) as running:
        yield running


@pytest.fixture
def deploy(cloud: Cloud, running: Api) -> Iterator[Deploy]:
    """Deploys a function; returns when the API has it."""
    made: list[Deployed] = []

    def deployed(**more: Any) -> Deployed:
        made.append(found := Deployed(cloud, **more))
        wait_until(lambda: running.curl(f"https://{found.host}/").status not in (0, 403), within=100, what="its name")
        return found

    yield deployed
    for each in made:
        cloud.client("lambda").delete_function(FunctionName=each.name)


def asked(api: Api, deployed: Deployed, path: str = "/", *arguments: str, **request: Any) -> Response:
    return api.curl(f"https://{deployed.host}{path}", *arguments, **request)


def cut_by_time(api: Api, deployed: Deployed, folder: Path) -> Response:
    """The response to a request whose answer begins and never ends. On a busy machine, an answer can begin after the
    time that it has; then there is another one."""
    found: list[Response] = []

    def begins() -> bool:
        file = folder / uuid.uuid4().hex
        found.append(asked(api, deployed, f"/wait{file}"))
        file.touch()
        return found[-1].status == 200

    wait_until(begins, within=100, what="an answer that begins in time")
    return found[-1]


def wait_for_ends(deployed: Deployed, count: int) -> None:
    """Wait until a function is done with so many events. Its instances are idle then."""

    def ends() -> int:
        return sum(line.startswith("REPORT") for line in deployed.lines())

    wait_until(lambda: ends() == count, within=100, what=f"the end of {count} requests")


def said(response: Response) -> tuple[str, int]:
    """Version and process id."""
    version, process = response.body.decode().split()
    return version, int(process)


def said_in_time(api: Api, deployed: Deployed) -> tuple[str, int]:
    """Version and process id of a function with little time, as soon as it answers in that time."""
    found: list[Response] = []
    wait_until(
        lambda: found.append(asked(api, deployed)) or found[-1].status == 200, within=100, what="an answer in time"
    )
    return said(found[-1])


def test_an_instance_serves_one_request_after_the_other(running: Api, deploy: Deploy) -> None:
    function = deploy()
    found: set[tuple[str, int]] = set()
    for number in range(1, 6):
        wait_for_ends(function, number)  # the first request was sent to find out whether the API has the name
        found.add(said(asked(running, function)))
    assert len(found) == 1


def test_each_of_several_requests_has_an_instance(running: Api, deploy: Deploy, tmp_path: Path) -> None:
    function = deploy()
    wait_for_ends(function, 1)
    with ThreadPoolExecutor(4) as pool:
        waiting = []
        for number in range(4):
            one = tmp_path / f"{number}"
            waiting.append(pool.submit(asked, running, function, f"/wait{one}"))
            wait_until(one.with_suffix(".asked").exists, within=100, what="the request's instance")
        refused = asked(running, function)
        for number in range(4):
            (tmp_path / f"{number}").touch()
        assert [each.result().body for each in waiting] == [b"onetwo"] * 4
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (502, "gateway_error"), "they are at most 4"
    running.wait(running.served.metrics.write())
    assert function.metric("AWS/Lambda", "Throttles") == [1, 1]
    assert function.metric("AWS/Lambda", "ConcurrentExecutions")[1] >= 1 + 2 + 3 + 4


def test_reserved_concurrency_bounds_instances(running: Api, deploy: Deploy, cloud: Cloud, tmp_path: Path) -> None:
    function = deploy()
    cloud.client("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    wait_until(lambda: _is_bounded(running, function, tmp_path), within=100, what="the new limit")


def _is_bounded(running: Api, function: Deployed, folder: Path) -> bool:
    """Whether a second request is refused while one is being answered."""
    file = folder / uuid.uuid4().hex
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asked, running, function, f"/wait{file}")
        wait_until(lambda: waiting.done() or file.with_suffix(".asked").exists(), within=100, what="the request")
        status = asked(running, function).status
        file.touch()
        # The first is refused too while the function is not done with what it answered before.
        return waiting.result().body == b"onetwo" and status == 502


def test_a_change_of_code_ends_old_instances_after_their_requests(running: Api, deploy: Deploy, tmp_path: Path) -> None:
    function = deploy()
    file = tmp_path / "go"
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(asked, running, function, f"/wait{file}")
        wait_until(file.with_suffix(".asked").exists, within=100, what="the request's instance")
        function.update(code=code("new"))
        wait_until(lambda: said(asked(running, function))[0] == "new", within=100, what="the new version")
        file.touch()
        assert old.result().body == b"onetwo", "the old instance was not ended within its request"


def test_a_change_of_variables_starts_new_instances(running: Api, deploy: Deploy) -> None:
    function = deploy()
    assert said(asked(running, function))[0] == "code"
    function.update(Environment={"Variables": {**STREAMING, "VERSION": "variable"}})
    wait_until(lambda: said(asked(running, function))[0] == "variable", within=100, what="the new version")


def test_an_instance_that_ends_is_a_502_and_the_next_request_gets_another(running: Api, deploy: Deploy) -> None:
    function = deploy()
    wait_for_ends(function, 1)  # the first request was sent to find out whether the API has the name
    before = said(asked(running, function))
    wait_for_ends(function, 2)
    failed = asked(running, function, "/end")
    assert (failed.status, json.loads(failed.body)["error"]["code"]) == (502, "gateway_error")
    after = said(asked(running, function))
    assert (before[0], before[1] != after[1]) == (after[0], True)
    running.wait(running.served.metrics.write())
    assert function.metric("AWS/Lambda", "Errors")[1] == 1


def test_a_function_that_does_not_start_says_so_in_its_log(running: Api, deploy: Deploy) -> None:
    function = deploy(variables={"VERSION": "broken"})
    failed = asked(running, function)
    assert (failed.status, failed.headers["x-amzn-errortype"]) == (502, "InternalServerErrorException")
    wait_until(lambda: "this version does not start" in function.lines(), what="the line in the log")


def test_the_log_has_the_functions_lines_between_lambdas_own(running: Api, deploy: Deploy) -> None:
    function = deploy()
    wait_for_ends(function, 1)  # the first request was sent to find out whether the API has the name
    asked(running, function, "/say/hello%20there")
    wait_until(lambda: len(function.lines()) == 8, what="eight lines")
    lines = [line for line in function.lines() if line != "hello there"]
    kinds = ["INIT_START", "START", "END", "REPORT", "START", "END", "REPORT"]
    assert [line.split()[0] for line in lines] == kinds
    with_init, without = (line for line in lines if line.startswith("REPORT"))
    parts = [part.partition(":")[0] for part in with_init.removeprefix("REPORT ").split("\t")]
    assert parts == [
        *("RequestId", "Duration", "Billed Duration", "Memory Size", "Max Memory Used", "Init Duration"),
    ]
    assert "Init Duration" not in without


def test_the_access_log_and_the_metrics_count_each_request(running: Api, deploy: Deploy) -> None:
    function = deploy()
    got = asked(running, function, "/a?secret=1", headers=[("authorization", "secret")])
    asked(running, function, "/end")
    wait_until(lambda: len(function.lines("access")) == 3, what="three lines")
    # The first was sent to find out whether the API has the name.
    _, good, bad = (json.loads(line) for line in function.lines("access"))
    kept = ("requestId", "ip", "host", "method", "path", "status", "bytes", "transfer", "error")
    assert [good[name] for name in kept] == [
        *(got.headers["x-amzn-requestid"], "127.0.0.1", function.host, "GET", "/a", "200", str(len(got.body))),
        *("STREAMED", "-"),
    ]
    assert [bad[name] for name in ("status", "error", "firstByteAfter")] == ["502", "Internal server error", "-"]
    assert int(good["firstByteAfter"]) <= int(good["milliseconds"])
    assert "secret" not in "".join(function.lines("access"))
    running.wait(running.served.metrics.write())
    counted = {name: function.metric("AWS/ApiGateway", name) for name in ("Count", "4XXError", "5XXError")}
    assert counted == {"Count": [3, 3], "4XXError": [3, 0], "5XXError": [3, 1]}
    assert function.metric("AWS/ApiGateway", "Latency")[0] == 3


def test_a_timeout_that_was_not_raised_cuts_a_stream_and_is_a_504_before_it(
    running: Api, deploy: Deploy, tmp_path: Path
) -> None:
    function = deploy(milliseconds=4000)
    cut = cut_by_time(running, function, tmp_path)
    assert (cut.ended, cut.status, cut.body) == (18, 200, b"one")
    late = asked(running, function, f"/silent{tmp_path}/never")
    assert (late.ended, late.status, json.loads(late.body)["error"]["code"]) == (0, 504, "upstream_timeout")
    (tmp_path / "never").touch()


def test_without_a_timeout_of_its_own_an_integration_waits_29_seconds(running: Api, deploy: Deploy) -> None:
    from cloud.api.reading import Clients, Reader

    function = deploy(milliseconds=None)
    stages = Reader(Clients(function.cloud.url)).read([REGION]).domains[function.host]
    assert {route.integration.seconds for route in stages[""].deployment.routes} == {29.0}


def test_an_answer_that_is_silent_too_long_is_ended(deploy: Deploy, cloud: Cloud, tmp_path: Path) -> None:
    function = deploy()
    with serving_api(settings(cloud, tmp_path / "api", idle=4.0)) as hasty:
        cut = cut_by_time(hasty, function, tmp_path)
        assert (cut.ended, cut.status, cut.body) == (18, 200, b"one")


def test_a_functions_own_timeout_ends_its_instance(running: Api, deploy: Deploy, tmp_path: Path) -> None:
    function = deploy(Timeout=4)
    before = said_in_time(running, function)
    cut = cut_by_time(running, function, tmp_path)
    assert (cut.ended, cut.status, cut.body) == (18, 200, b"one")
    assert said_in_time(running, function) != before
    wait_until(lambda: any("timed out after 4.00 seconds" in line for line in function.lines()), what="the log's line")


def test_a_function_runs_on_when_its_client_has_left(running: Api, deploy: Deploy, tmp_path: Path) -> None:
    function = deploy()
    file = tmp_path / "go"
    address = running.address(f"https://{function.host}/wait{file}")
    command = ["curl", "-sSN", "--max-time", "100", "--cacert", str(running.served.authority), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}) as client:
        assert client.stdout is not None
        assert client.stdout.read(3) == b"one"
        client.kill()
    wait_for_ends(function, 1)
    file.touch()
    wait_for_ends(function, 2)


def test_an_integration_that_buffers_cannot_read_a_streamed_answer(running: Api, deploy: Deploy) -> None:
    """The mistake of a gateway whose integration is not set to STREAM."""
    function = deploy(streamed=False, milliseconds=29_000)
    assert asked(running, function).status == 502


def test_a_stage_throttles(running: Api, deploy: Deploy, cloud: Cloud) -> None:
    function = deploy()
    cloud.stage(function.api, {"/*/*/throttling/rateLimit": "0.001", "/*/*/throttling/burstLimit": "2"})

    def statuses() -> list[int]:
        return [asked(running, function).status for _ in range(3)]

    wait_until(lambda: 429 in statuses(), within=100, what="the new limit")
    refused = asked(running, function)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["access-control-allow-origin"] == "*"


def test_a_change_of_an_api_waits_for_its_next_deployment(running: Api, deploy: Deploy, cloud: Cloud) -> None:
    function = deploy()
    client = cloud.client("apigateway")
    proxy = next(
        each["id"] for each in client.get_resources(restApiId=function.api)["items"] if each["path"] == "/{proxy+}"
    )
    client.delete_method(restApiId=function.api, resourceId=proxy, httpMethod="ANY")
    function.update(Environment={"Variables": {**STREAMING, "VERSION": "later"}})
    wait_until(lambda: said(asked(running, function, "/a"))[0] == "later", within=100, what="a later look")
    cloud.deploy(function.api)
    wait_until(lambda: asked(running, function, "/a").status == 403, within=100, what="the deployment")
    gone = asked(running, function, "/a")
    assert json.loads(gone.body)["error"]["message"] == "Missing Authentication Token"
    assert asked(running, function).status == 200, "the root has its method"
