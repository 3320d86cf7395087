"""A boot that works: cloud-init, the unit, the secrets, docker, the health check, the logs, and a restart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.real_boot.replica import Replica, State

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

Starts = Callable[..., Replica]

NASTY = {
    "LINES": '-----BEGIN KEY-----\nit\'s "quoted" `id` $(id) ${HOME} $HOME \\ \\n\n-----END KEY-----',
    "BYTES": " grün 東京 \x01\x7f\x1b[0m {{ ssm }} %s\r\ntwo\r\n\n",
    "LONG": "x\n" * 4000,
}
"""The first is one parameter as it is; the second one in base64; the third is in several parameters."""


def test_a_replica_serves_with_its_secrets_byte_for_byte_and_again_after_a_restart(replica: Starts) -> None:
    boot = replica(f"env: [{', '.join(NASTY)}]\n", **NASTY)
    boot.wait_for_step("serving")
    variables = {name: bytes.fromhex(value) for name, value in json.loads(boot.get("/environment")).items()}
    assert {name: variables[name] for name in NASTY} == {name: value.encode() for name, value in NASTY.items()}
    assert variables["DSTACK_GPUS_NUM"] == b"1"
    assert boot.state() == State("serving", None, False)
    assert _steps(boot.boot_log()) == [
        "machine ready", "GPUs found: 1", "pulling image", "starting container", "serving",
    ]  # fmt: skip
    assert boot.container_log() == ["listening"]
    everything = boot.machine.run("cat", "/opt/servestack/boot") + boot.machine.console + "\n".join(boot.boot_log())
    assert "BEGIN KEY" not in everything

    boot.machine.shut_down()
    boot.machine.wait()
    assert boot.container_log() == ["listening", "ended"]
    boot.machine.start()
    boot.wait_for_log("serving", count=2)
    assert boot.get("/health") == b"ok"
    assert _steps(boot.boot_log())[5:] == [
        "machine ready", "GPUs found: 1", "starting container", "serving",
    ]  # fmt: skip


def _steps(log: list[str]) -> list[str]:
    """Return the steps, each once, without how much of it is done, without waiting, which a fast machine skips, and
    without the stop."""
    named = [re.sub(r" \d+ %$", "", line) for line in log if not line.startswith(("waiting for ", "stop"))]
    return [step for before, step in zip(["", *named], named, strict=False) if step != before]
