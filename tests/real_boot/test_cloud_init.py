"""cloud-init's own parser takes the user data for one shell script, whatever a configuration has in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from infra.planning import ServicePlan
from infra.planning.boot import parameters, script, user_data
from tests.boot.planned import planned

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

PLACE = {"region": "us-east-1", "table": "registry", "log_group": "/servestack/run"}
READER = Path(__file__).with_name("cloud_init_scripts.py")
CONFIGURATIONS = {
    "nothing special": "",
    "an e-mail": "commands: ['Content-Type: multipart/mixed; boundary=x', 'MIME-Version: 1.0', '--x']\n",
    "other kinds of user data": "env: {A: '#cloud-config', B: '#include http://x', C: '## template: jinja'}\n",
    "line ends": 'env: {A: "one\\r\\ntwo\\rthree\\n"}\n',
    "no ASCII": "env: {A: 'grün 東京'}\n",
    "nearly full": f"commands: ['{'x1y2z3' * 4000}']\n",
}


def test_cloud_init_runs_exactly_the_script(root: Path) -> None:
    plans = {name: planned(lines) for name, lines in CONFIGURATIONS.items()}
    found = subprocess.run(
        ["chroot", str(root), "python3", "-c", READER.read_text()],
        input="".join(f"{_user_data(plan)}\n" for plan in plans.values()),
        capture_output=True,
        text=True,
        check=True,
    )
    written = dict(zip(plans, json.loads(found.stdout), strict=True))
    assert written == {name: [_script(plan)] for name, plan in plans.items()}


def _user_data(plan: ServicePlan) -> str:
    return user_data(plan, **PLACE, parameter_versions=_versions(plan))


def _script(plan: ServicePlan) -> str:
    return script(plan, **PLACE, parameter_versions=_versions(plan))


def _versions(plan: ServicePlan) -> dict[str, int]:
    return {parameter.name: 1 for parameter in parameters(plan)}
