"""The figures of a replica, with the real AWS CLI, awk, df and curl: once a minute, while it serves."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest

from cloud.machines.nspawn.layers import Blob
from infra.readiness.figures import read_figures
from tests.real_boot.conftest import SERVICE
from tests.real_boot.replica import Replica
from tests.real_boot.serving_image import serving_image

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1200)]


def test_figures_reach_the_log_and_the_state_item_once_a_minute(replica: Callable[..., Replica], base: Blob) -> None:
    boot = replica(service=SERVICE.replace("/server:1", "/vllm:1"), images={"vllm:1": serving_image(base)})
    boot.wait_for_step("serving")
    with boot.begin("/stream?lines=100000&pause=0.1"):
        before = len(boot.figures())
        boot.wait_for_figures(before + 3)
    found = boot.figures()[before:]
    times = [line["_aws"]["Timestamp"] for line in found]
    assert all(60_000 <= later - earlier < 90_000 for earlier, later in itertools.pairwise(times))
    last = found[2]
    (directive,) = last["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("servestack", [["Table", "Run"]])
    assert {metric["Name"] for metric in directive["Metrics"]} == {name for name in last if name[0] in "DGRW"} - {"Run"}
    measured = {name: value for name, value in last.items() if name not in ("_aws", "DiskUse", "tokens_per_second")}
    assert measured == {
        "Table": "registry", "Run": "run", "instance": boot.instance, "type": "g6.xlarge", "GpuUse": 87,
        "GpuMemory": 87.3622, "gpu_temperature": 61, "gpu_power": 71.52, "Running": 1, "Waiting": 0,
    }  # fmt: skip
    assert 0 < last["DiskUse"] < 100
    assert 5 < last["tokens_per_second"] <= 11, "ten lines a second, on a machine that can be busy"
    item = boot.item()
    figures = read_figures(item)
    assert figures is not None
    assert figures.running == 1
    assert (item["step"], item["final"]) == ({"S": "serving"}, {"BOOL": False})
    assert int(item["ttl"]["N"]) == figures.at + 7200
    written = {**json.loads(item["figures"]["S"])}
    assert written in [{name: value for name, value in line.items() if name != "_aws"} for line in boot.figures()]
    assert not [line for line in boot.boot_log() if "figures" in line], "no warning"
