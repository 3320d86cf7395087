"""`utilization_policy`: when the use of GPUs ends a service, and when it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.planning.boot import parameter_prefix
from tests.boot.machine import INSTANCE, TABLE, Machine
from tests.boot.planned import planned

Boots = Callable[..., Machine]

POLICY = "utilization_policy: {min_gpu_utilization: 10, time_window: 900s}\n"
MOVING_CLOCK = """printf x >>"$STUBS/looks"
printf '%s\\n' "$((1700000000 + 60 * $(wc --bytes <"$STUBS/looks")))"
"""
"""Each look at the clock is a minute after the one before, whichever process looks."""
UNUSED = ("0, 9",) * 40


@pytest.mark.parametrize(
    ("samples", "gpu"),
    [
        pytest.param(UNUSED, "0", id="one GPU"),
        pytest.param(("0, 100", "1, 9") * 40, "1", id="one of several"),
        pytest.param(("0, 100", *UNUSED), "0", id="used once before"),
    ],
)
def test_a_gpu_that_is_not_used_ends_the_service(machine: Boots, samples: tuple[str, ...], gpu: str) -> None:
    boot = _serving(machine, samples)
    boot.wait_until(lambda: boot.calls("aws-autoscaling-update-auto-scaling-group"))
    boot.wait_until(lambda: "being stopped" in boot.calls("aws-dynamodb-put-item")[-1].arguments[-1])
    (update,) = boot.calls("aws-autoscaling-update-auto-scaling-group")
    assert update.arguments[-8:] == (
        "autoscaling", "update-auto-scaling-group", "--auto-scaling-group-name", "the-group", "--min-size", "0",
        "--desired-capacity", "0",
    )  # fmt: skip
    item = boot.calls("aws-dynamodb-put-item")[-1].arguments[-1]
    cause = f"GPU {gpu} was used less than 10 % for 900 s, so utilization_policy ends the service"
    assert (cause in item, INSTANCE in item) == (True, True)
    boot.wait_until(lambda: cause in boot.output)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(("0, 9", "0, 10") * 20, id="used now and then"),
        pytest.param(("0, [N/A]",) * 40, id="a GPU that does not say"),
        pytest.param(("0, 9",) * 5, id="too few samples"),
    ],
)
def test_a_gpu_that_is_used_once_in_the_window_ends_nothing(machine: Boots, samples: tuple[str, ...]) -> None:
    boot = _serving(machine, samples)
    boot.wait_until(lambda: (boot.root / "asked").exists() and (boot.root / "asked").stat().st_size >= 2)
    assert boot.calls("aws-autoscaling-update-auto-scaling-group") == []


def test_the_end_is_tried_again_until_aws_takes_it(machine: Boots) -> None:
    boot = _serving(machine, UNUSED, first="exit 254")
    boot.wait_until(lambda: len(boot.calls("aws-autoscaling-update-auto-scaling-group")) == 2)
    boot.wait_until(lambda: "being stopped" in boot.calls("aws-dynamodb-put-item")[-1].arguments[-1])


def test_after_nvidia_smi_failed_it_is_asked_again(machine: Boots) -> None:
    boot = _serving(machine, UNUSED, failing=2)
    boot.wait_until(lambda: boot.calls("aws-autoscaling-update-auto-scaling-group"))


def test_a_service_without_a_policy_asks_for_no_utilization(machine: Boots) -> None:
    boot = machine()
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: '"serving"' in "".join(call.arguments[-1] for call in boot.calls("aws-dynamodb-put-item")))
    assert [call for call in boot.calls("figures-nvidia-smi") if "--loop=10" in call.arguments] == []
    assert "watch_utilization()" not in boot.script


def _serving(machine: Boots, samples: tuple[str, ...], first: str = "", failing: int = 0) -> Machine:
    """Return a machine that serves, whose GPUs say these samples. `first`: what the first call to end it answers.
    `failing`: how often nvidia-smi fails before."""
    boot = machine(POLICY, boot_timeout=10**6)
    name = f"{parameter_prefix(TABLE, planned(POLICY).run)}group-name"
    (boot.root / "parameters" / name.replace("/", "%")).write_text("the-group")
    boot.answer("curl-health", "printf 200")
    boot.answer("date", MOVING_CLOCK)
    if first:
        boot.answer("aws-autoscaling-update-auto-scaling-group", first, call=1)
    lines = " ".join(f"'{sample}'" for sample in samples)
    # It is asked again only after what it said before was read to the end.
    asked = f'printf x >>"$STUBS/asked"; if (($(wc --bytes <"$STUBS/asked") <= {failing})); then exit 15; fi'
    boot.answer("figures-nvidia-smi", f"if [[ $* == *--loop* ]]; then {asked}; printf '%s\\n' {lines}; fi")
    boot.start("serve")
    return boot
