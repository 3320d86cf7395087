"""The demo, as somebody runs it who has just cloned the project."""

from __future__ import annotations

import re

import pytest

from cloud.addresses import free_addresses
from tests.support.processes import python, running
from tests.support.requirements import require


def test_the_demo_deploys_asks_and_destroys_by_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    require("cloud")
    addresses, folder = free_addresses(), tmp_path_factory.mktemp("demo")
    ports = ("--port", str(addresses.control_plane), "--https-port", str(addresses.https))
    with running(python("-m", "cloud", "--demo", "--folder", str(folder), *ports)) as demo:
        status = demo.wait(within=800)
    table = demo.output[demo.output.rindex("\nstep ") :]
    steps = re.findall(r"^(\S.*?)  +\d+\.\d(?:  (.*))?$", table, re.MULTILINE)
    assert (status, [step for step, _ in steps][-4:]) == (
        0,
        ["destroy both services", "destroy the gateway", "what is left", "all"],
    )
    answered = dict(steps)
    assert answered["what is left"] == "only what is meant to stay: aws_iam_role, aws_route53_record"
    assert answered["make smoke"] == "12 checks are good"
