"""Replicas that do not start: `pulumi up` fails and says why, nothing runs on, and a corrected configuration serves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.whole.attempts import CORRECTED, GOOD, STORIES, TYPE, Attempt
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud, at_once

BILLING = "The group is set to zero and its instances have ended. They are no longer billed."


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there was after an attempt."""

    report: str
    """What `pulumi up` says at its end."""
    group: tuple[int, int, int]
    """Its minimum, desired and number of instances."""
    machines: int
    """Instances of the group that have not ended."""
    status: int
    """Of a request for the run."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A story: what there was after each attempt, and at its end."""

    attempts: Sequence[Found]
    end: Found
    answer: Any


@pytest.fixture(scope="module")
def told(cloud: RunningCloud, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Told]:
    """All stories, which take place at the same time."""
    folder, key = tmp_path_factory.mktemp("configurations"), cloud.key()
    ended = at_once(*(lambda stack=stack: _tell(cloud, stack, folder, key) for stack in STORIES))
    return dict(zip(STORIES, ended, strict=True))


EVERY = [(stack, number) for stack, attempts in STORIES.items() for number in range(len(attempts))]


@pytest.mark.parametrize(("stack", "number"), EVERY, ids=[STORIES[stack][number].what for stack, number in EVERY])
def test_a_failed_start_is_explained_and_nothing_runs_on(told: Mapping[str, Told], stack: str, number: int) -> None:
    attempt, found = STORIES[stack][number], told[stack].attempts[number]
    assert found.report == expected(stack, attempt)
    assert (found.group, found.machines, found.status) == ((0, 0, 0), 0, 404)


@pytest.mark.parametrize("stack", list(STORIES))
def test_a_corrected_configuration_serves(told: Mapping[str, Told], stack: str) -> None:
    story = told[stack]
    assert (story.end.group, story.end.machines, story.end.status) == ((1, 1, 1), 1, 200)
    assert [model["id"] for model in story.answer["data"]] == [f"some/{stack}"]


def expected(stack: str, attempt: Attempt) -> str:
    """The report of an attempt, as `readable` leaves it."""
    lines = [f"{stack} does not serve: {attempt.cause}"]
    if attempt.step is not None:
        lines.append(f"  replica: INSTANCE, last step: {attempt.step}")
    lines.append(f"  billing: {BILLING}")
    if attempt.remedy is not None:
        lines.append(f"  remedy: {attempt.remedy}")
    if attempt.step is not None:
        lines.append(f'  logs: make logs STACK={stack} ARGS="--replica INSTANCE --since 1d"')
    if attempt.written is not None:
        lines += ["  the last line of the container on INSTANCE:", f"    {attempt.written}"]
    return "\n".join(lines).replace("some/model", f"some/{stack}")


def readable(printed: str) -> str:
    """The report in what `pulumi up` prints, without what differs from run to run."""
    report = printed.rpartition("-readiness: ")[2].rstrip()
    report = re.sub(r"\bi-[0-9a-f]{17}\b", "INSTANCE", report)
    report = re.sub(r"after \d+ s\b", "after <number> s", report)
    # The replica and `pulumi up` have the same time, so the replica can be about to replace itself.
    report = report.replace("; the replica did not serve within 60 s, so the instance is replaced", "")
    return report.replace("last step: being replaced", "last step: waiting for port 8000")


def _tell(cloud: RunningCloud, stack: str, folder: Path, key: str) -> Told:
    file = folder / f"{stack}.dstack.yml"
    found: list[Found] = []
    for attempt in STORIES[stack]:
        file.write_text(attempt.configuration.replace("some/model", f"some/{stack}"))
        if attempt.refused is not None:
            cloud.capacity(TYPE, available=False, message=attempt.refused)
        found.append(_found(cloud, stack, key, cloud.deploy(stack, file, "boot_timeout 60s", status=1)))
        if attempt.refused is not None:
            cloud.capacity(TYPE, available=True)
    file.write_text(CORRECTED.get(stack, GOOD).replace("some/model", f"some/{stack}"))
    end = _found(cloud, stack, key, cloud.deploy(stack, file, "boot_timeout 30m"))
    with cloud.http(headers={"Authorization": f"Bearer {key}"}) as http:
        answer = http.get(f"https://{stack}.{DOMAIN}/v1/models").json()
    return Told(attempts=found, end=end, answer=answer)


def _found(cloud: RunningCloud, stack: str, key: str, printed: str) -> Found:
    groups = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    group = next(one for one in groups if one["AutoScalingGroupName"].startswith(f"{stack}-replicas-"))
    with cloud.http(headers={"Authorization": f"Bearer {key}"}) as http:
        status = http.get(f"https://{stack}.{DOMAIN}/health").status_code
    return Found(
        report=readable(printed),
        group=(group["MinSize"], group["DesiredCapacity"], len(group["Instances"])),
        machines=len(cloud.machines(group["AutoScalingGroupName"])),
        status=status,
    )
