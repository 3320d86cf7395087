"""Services that people deployed elsewhere, as they wrote them. The comment in each file says what must happen."""

from __future__ import annotations

from pathlib import Path

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import loads
from infra.planning import ServicePlan, plan_service, unresolved

FOLDER = Path(__file__).with_name("reported")


def test_nim_with_other_clouds_beside_aws_is_planned_with_a_note() -> None:
    plan = planned("c03-nim")
    assert "backends: azure, gcp have no effect. servestack runs on AWS." in plan.notes
    login = plan.container.registry_login
    assert login is not None
    assert (login.username, login.password.reveal()) == ("$oauthtoken", "nvapi-x")


def test_several_gpus_get_shared_memory_that_nccl_can_live_with() -> None:
    assert (
        "resources.shm_size is not set: a replica has several GPUs, so /dev/shm can take 16 GB. docker's own 64 MB are "
        "not enough for NCCL."
    ) in planned("c06-multigpu-noshm").notes


def planned(name: str) -> ServicePlan:
    configuration = loads((FOLDER / f"{name}.dstack.yml").read_text(), f"{name}.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(configuration, run="run", environment={"NGC_API_KEY": "nvapi-x"}, resolve=unresolved)
