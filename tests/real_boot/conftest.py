from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cloud.machines.nspawn.container_image import Image
from cloud.machines.nspawn.debian_root import debian_root
from cloud.machines.nspawn.layers import Blob, base_layer
from tests.boot.planned import planned
from tests.real_boot.folders import remove_leftovers
from tests.real_boot.places import REGISTRY
from tests.real_boot.replica import Replica
from tests.real_boot.serving_image import serving_image
from tests.support.requirements import require

SERVICE = f"type: service\nimage: {REGISTRY}/server:1\nport: 80\nresources: {{gpu: 24GB}}\n"


@pytest.fixture(scope="session")
def root() -> Path:
    """The file system of Debian. Made in the first run, which takes minutes."""
    require("boot")
    remove_leftovers()
    return debian_root()


@pytest.fixture(scope="session")
def base(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Blob:
    """The layer that the test images have."""
    return base_layer(root, tmp_path_factory.mktemp("layers") / "base.tar")


@pytest.fixture
def replica(root: Path, base: Blob, tmp_path: Path) -> Iterator[Callable[..., Replica]]:
    """A function that prepares a replica of the plan of some lines of a configuration, and switches it on."""
    replicas: list[Replica] = []

    def started(
        lines: str = "",
        *,
        service: str = SERVICE,
        images: Mapping[str, Image] | None = None,
        registry_login: str | None = None,
        docker_disk_mb: int = 0,
        hold_layers: bool = False,
        hung_after: int | None = None,
        **environment: str,
    ) -> Replica:
        plan = planned(lines, service=service, **environment)
        replicas.append(
            Replica(
                plan if hung_after is None else dataclasses.replace(plan, hung_after=hung_after),
                root=root,
                folder=tmp_path,
                images=images or {"server:1": serving_image(base)},
                registry_login=registry_login,
                docker_disk_mb=docker_disk_mb,
            )
        )
        if hold_layers:
            replicas[-1].registry.hold_layers()
        replicas[-1].machine.start()
        return replicas[-1]

    yield started
    for one in replicas:
        one.close()
