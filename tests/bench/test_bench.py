"""The bench runs end to end, and its arithmetic is right. What it finds is not tested: figures are for people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.accounting import cpu_seconds, resident_bytes
from bench.measures import percentile, ratio
from bench.report import Target, medians, table, target_table

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_a_quick_run_measures_everything_and_writes_it_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--no-peers", "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (written,) = tmp_path.iterdir()
    found = json.loads(written.read_text())
    assert sorted(set(found["measures"]) - {"cold_start"}) == [
        "embeddings_cpu",
        "first_token_p50",
        "first_token_p99",
        "import_cpu",
        "memory",
        "memory_after_crowd",
        "paced_token_cpu",
        "plain_cpu",
        "rate_64",
        "rate_8",
        "start",
        "token_cpu_1024",
        "token_cpu_64",
    ]
    assert sorted(found["measures"]["plain_cpu"]) == [
        "byte copy",
        "byte copy, OpenAI",
        "byte copy, own client",
        "gateway",
        "gateway, 1,000 services",
        "gateway, format openai",
        "gateway, keys with limits",
        "gateway, no request lines",
    ]
    assert all(value > 0 for value in found["measures"]["plain_cpu"].values())
    assert len(found["targets"]) == 15 + ("cold_start" in found["measures"])
    assert "CPU a plain request, ms" in done.stdout
    assert str(written) in done.stdout


def test_cpu_time_and_memory_are_those_of_a_process_and_its_children() -> None:
    work = "import sys; sum(range(3_000_000)); print(flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        used, resident = cpu_seconds(child.pid), resident_bytes(child.pid)
        child.communicate()
    assert 0.02 < used < 20
    assert resident > 2 * 4_000_000, "two interpreters"


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    samples = {"gateway": [2.0, 30.0, 9.0], "byte copy": [1.0, 10.0, 2.0]}
    assert ratio(samples, "gateway", "byte copy") == 3.0
    assert medians(samples) == {"gateway": 9.0, "byte copy": 2.0}


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, part) for part in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]


def test_the_tables_show_units_ratios_and_what_is_missed() -> None:
    rows = {"plain_cpu": {"gateway": 0.0002, "dstack": 0.0045}, "memory": {"gateway": 48e6}}
    assert table(rows, ["gateway", "dstack"]) == (
        "                         gateway       dstack\n"
        "CPU a plain request, ms    0.200  4.500 (22×)\n"
        "resident memory, MB         48.0            –"
    )
    assert target_table([Target("a", 1.0, 2.0, "MB"), Target("b", 3.0, 2.5)]) == (
        "target  measured  at most\na           1 MB     2 MB      met\nb              3      2.5  NOT MET"
    )
