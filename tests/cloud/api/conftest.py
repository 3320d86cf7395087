"""A control plane, a gateway that was created in it, and the API that serves it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.api.whole import Settings
from gateway_lambda.registry.record import Service as Record
from tests.cloud.api.deployment import Cloud
from tests.cloud.api.served import Api, serving_api
from tests.lambda_function.service import Answer, Service, service
from tests.support.isolation import MARK
from tests.support.processes import ROOT, wait_until
from tests.support.requirements import require

DOMAIN = "models.localhost"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The control plane."""
    folder = tmp_path_factory.mktemp("control_plane")
    command = [sys.executable, "-m", "cloud.control_plane", "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield Cloud(f"http://127.0.0.1:{(folder / 'port').read_text()}")
    process.communicate(timeout=100)


@pytest.fixture(scope="session")
def balancer() -> Iterator[Service]:
    """The load balancer, and behind it every run's service."""
    with service() as served:
        yield served


@pytest.fixture(scope="session")
def gateway(cloud: Cloud, balancer: Service) -> str:
    """The id of the API of a gateway at `*.models.localhost`, with the run `web`."""
    function = cloud.gateway("gateway-1", upstream=balancer.url, domain=DOMAIN)
    api = cloud.api("gateway-1", function)
    cloud.domain(f"*.{DOMAIN}", api)
    cloud.run("gateway-1", Record(run="web", host=f"web.{DOMAIN}", auth=False))
    return api


@pytest.fixture
def web(balancer: Service) -> Service:
    """The service of the run `web`, which answers `ok` until told otherwise."""
    balancer.answers = lambda asked: Answer(body=b"ok")
    balancer.asked.clear()
    return balancer


@pytest.fixture(scope="session", params=["lambda-adapter", "stand-in"])
def api(
    request: pytest.FixtureRequest, cloud: Cloud, gateway: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API, with the real web adapter and without it."""
    if request.param == "lambda-adapter":
        require("lambda-adapter")
    adapter = shutil.which("lambda-adapter") if request.param == "lambda-adapter" else None
    with serving_api(settings(cloud, tmp_path_factory.mktemp("api"), adapter=adapter)) as running:
        # A gateway that has not read its table within three seconds answers 503. Later it has a copy.
        wait_until(
            lambda: running.curl(f"https://web.{DOMAIN}/").status == 200, within=100, what="a gateway that serves"
        )
        yield running


def settings(cloud: Cloud, folder: Path, **more: object) -> Settings:
    """An API of its own; processes that it leaves are found."""
    marks = {MARK: os.environ[MARK]}
    return Settings(control_plane=cloud.url, folder=folder, marks=marks, **more)  # type: ignore[arg-type]
