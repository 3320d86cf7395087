"""The plan and preflight name what gives the container control of its machine, and nothing else."""

from __future__ import annotations

import pytest

from infra.planning import ServicePlan
from infra.planning.isolation import isolation_notes
from infra.preflight import run_preflight
from tests.preflight.canned import CannedAws, Refused
from tests.preflight.plans import PLACE, WEB, clients, service_plan

SAYS = (
    " gives the container control of its machine and the machine's role: it can read every secret of the run, and "
    "write to the run's log and state. Use it only with images that you trust."
)


def planned(keys: str) -> ServicePlan:
    return service_plan(f"{WEB}resources: {{gpu: 24GB}}\n{keys}")


def test_privileged_and_docker_s_socket_are_said_in_the_plan() -> None:
    plan = planned("privileged: true\nvolumes: ['/var/run/docker.sock:/var/run/docker.sock', '/data:/models']\n")
    notes = [f"privileged{SAYS}", f"The mount of /var/run/docker.sock{SAYS}"]
    assert [note for note in plan.notes if SAYS in note] == notes


def test_and_warned_of_in_preflight() -> None:
    """Whatever AWS answers: nobody is asked."""
    denied = Refused("AccessDenied", "no", 403)
    names = ("dynamodb.Query", "ec2.DescribeSubnets", "ec2.DescribeInstanceTypeOfferings", "ec2.DescribeInstances")
    who = {
        "sts.GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/a", "UserId": "A"}
    }
    aws = CannedAws({**dict.fromkeys((*names, "ec2.DescribeRegions"), denied), **who})
    findings = run_preflight(planned("privileged: true\n"), clients(aws), PLACE)
    assert [(one.level, one.message) for one in findings if one.topic == "container"] == [
        ("warning", f"privileged{SAYS}")
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/./",
        "/var",
        "/var/lib",
        "/run",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "//var/run/docker.sock",
        "/etc",
        "/etc/systemd/system",
        "/proc",
        "/sys/fs/cgroup",
        "/dev",
        "/var/lib/docker",
        "/var/lib/containerd/x",
        "/opt",
        "/opt/servestack/boot",
        "/home/ssm-user",
        "/usr/local/bin",
    ],
)
def test_a_mount_of_what_the_machine_runs_by_is_said(path: str) -> None:
    said = isolation_notes(planned(f"volumes: ['{path}:/x']\n").container)
    assert [note.endswith(SAYS) for note in said] == [True]


@pytest.mark.parametrize(
    "path", ["/data", "/mnt/models", "/opt/models", "/srv", "/tmp/x", "/etcetera", "/var/lib/models"]
)
def test_a_mount_of_a_folder_of_its_own_is_not(path: str) -> None:
    assert isolation_notes(planned(f"volumes: ['{path}:/x']\n").container) == []
