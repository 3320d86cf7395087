"""A report of a failed wait ends with the last lines that the container wrote."""

from __future__ import annotations

from tests.readiness.cloud import Cloud, health, leaves, says, starts, together
from tests.readiness.outcomes import ENDED, LOGS, TAKEN, A, B, waits

CAUSE = "the container ended with status 3 before it served"
WRITTEN = "loading\nTraceback (most recent call last):\nKeyError: 'x'"


def shown(instance: str) -> str:
    return (
        f"\n  the last 3 lines of the container on {instance}:\n"
        "    loading\n    Traceback (most recent call last):\n    KeyError: 'x'"
    )


def test_a_permanent_cause_is_followed_by_the_lines() -> None:
    cloud = Cloud([(0, starts(A)), (20, says(A, "container ended", cause=CAUSE, final=True, output=WRITTEN))])
    assert waits(cloud)[0] == (
        f"yellow-cat-1 does not serve: {CAUSE}\n  replica: {A}, last step: container ended\n  billing: {ENDED}\n"
        f"  logs: {LOGS}{shown(A)}"
    )


def test_a_replica_that_names_no_cause_in_time_has_its_lines_too() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (30, together(says(A, "waiting for port 80", output=WRITTEN), health(A, "unhealthy", "Target.Timeout"))),
        ]
    )
    report = str(waits(cloud)[0])
    assert report.startswith("yellow-cat-1 does not serve: nothing answered on port 80 within 30 minutes")
    assert report.endswith(f"\n  logs: {LOGS}{shown(A)}")


def test_the_lines_of_a_replica_that_was_removed_are_remembered() -> None:
    def forgets(cloud: Cloud) -> None:
        cloud.states.clear()

    cloud = Cloud(
        [
            (0, starts(A)),
            (60, says(A, "waiting for port 80", output=WRITTEN)),
            (100, together(leaves(A, TAKEN), forgets)),
        ]
    )
    assert str(waits(cloud)[0]).endswith(shown(A))


def test_lines_of_another_version_are_not_the_cause() -> None:
    cloud = Cloud(
        [
            (0, together(starts(B, version=1), says(B, "container ended", output="old"), starts(A))),
            (60, says(A, "waiting for port 80")),
        ]
    )
    assert "container on" not in str(waits(cloud)[0])


def test_a_service_that_keeps_its_replicas_shows_the_lines_too() -> None:
    cloud = Cloud([(0, starts(A)), (20, says(A, "container ended", cause=CAUSE, final=True, output="one\x1b[2J"))])
    report = str(waits(cloud, on_failure="keep")[0])
    assert report.endswith(f"\n  the last line of the container on {A}:\n    one\ufffd[2J")
