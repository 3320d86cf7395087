"""The function with its own role: signed, over the emulator's IAM, from the registry's items to a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_lambda.registry.record import Service as Record
from infra.components import policies
from infra.planning.table_items import routing_item
from tests.lambda_function.conftest import TaskRoot
from tests.lambda_function.function import function, wait_until_ready
from tests.lambda_function.service import Service
from tests.registry.emulator import TABLE, emulated
from tests.support.processes import wait_until

pytestmark = [getattr(pytest.mark, "lambda"), pytest.mark.xdist_group("lambda")]

HOST = "web.example.org"


def test_a_run_is_found_as_soon_as_it_is_registered(task_root: TaskRoot, web: Service, tmp_path: Path) -> None:
    with emulated(tmp_path) as account:
        role = account.assumed("function", policies.document(policies.read_registry(account.table_arn)))
        environment = {
            **account.environment(role),
            "GATEWAY_DOMAIN": "example.org",
            "GATEWAY_REGISTRY": f"dynamodb:{TABLE}",
            "GATEWAY_UPSTREAM": web.url,
        }
        with function(task_root.folder, task_root.path, environment) as running:
            wait_until_ready(running)
            assert running.ask("GET", "/", host="another.example.org").status == 404
            account.put(routing_item(Record(run="web", host=HOST, auth=False)))
            wait_until(lambda: running.ask("GET", "/", host=HOST).status != 404, within=60, what="another look")
            found = running.ask("GET", "/", host=HOST)
        assert (found.status, found.body) == (200, b"ok"), running.gateway.output
        assert web.asked[0].header("host") == [HOST]
