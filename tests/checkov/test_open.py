"""checkov checks everything that is deployed, and finds exactly what `open.csv` lists."""

from __future__ import annotations

import csv
import fnmatch
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.aws.recording import Recording
from tests.checkov.terraform import terraform
from tests.components.conftest import GATEWAY
from tests.components.deploying import TOKEN, Account
from tests.support.examples import EXAMPLES
from tests.support.requirements import CHECKOV, require

QUIET = {"PATH": "/usr/bin:/bin", "LOG_LEVEL": "ERROR"}
"""An environment without the caller's keys and settings."""
FEWEST = 200
"""The fewest checks that checkov makes where it understands the resources."""


@dataclass(frozen=True)
class Found:
    """A check that failed at a resource."""

    check: str
    resource: str
    title: str


@dataclass(frozen=True)
class Open:
    """One pattern of a row."""

    check: str
    pattern: str

    def covers(self, found: Found) -> bool:
        return found.check == self.check and fnmatch.fnmatchcase(found.resource, self.pattern)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """A gateway with a domain and three services, and one that is audited."""
    require("checkov")
    account = Account(tmp_path_factory.mktemp("account"))
    audited = account.written("audited.yml", f"{GATEWAY}name: audited\n")
    return [
        account.up("gateway", {"configuration": str(EXAMPLES / "gateway.dstack.yml")}),
        account.up(
            "yellow-cat-1",
            {"configuration": str(EXAMPLES / "mistral" / "serve.dstack.yml"), "gpu": "24GB"},
            secrets={"env": {"HUGGING_FACE_HUB_TOKEN": TOKEN}},
        ),
        account.up(
            "scaled",
            {
                "configuration": str(EXAMPLES / "autoscaling" / "serve.dstack.yml"),
                "alarm_email": "ops@example.com",
                "budget": "1000",
            },
        ),
        account.up("gpus", {"configuration": str(EXAMPLES / "files" / "serve.dstack.yml")}),
        account.up("audited", {"configuration": audited, "audit": "true"}),
    ]


@pytest.mark.timeout(300)
def test_what_checkov_finds_is_what_stays_open_for_a_reason(everything: list[Recording], tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(terraform(everything))
    made, found = _checked(tmp_path)
    rows = _open()
    new = sorted(f"{one.check} {one.resource}: {one.title}" for one in found if not any(r.covers(one) for r in rows))
    stale = sorted(f"{row.check} {row.pattern}" for row in rows if not any(map(row.covers, found)))
    assert (new, stale) == ([], []), "new: mend it, or add a row with the reason; stale: take the row away"
    assert made >= FEWEST


def test_every_row_says_why() -> None:
    rows = _rows()
    assert [row["check"] for row in rows if not row["reason"]] == []
    assert len({row["check"] for row in rows}) == len(rows), "a check has one row"


def _checked(folder: Path) -> tuple[int, list[Found]]:
    """(how many checks were made, those that failed)."""
    command = [str(CHECKOV), "--directory", str(folder), "--framework", "terraform", "--output", "json"]
    offline = ["--compact", "--skip-download", "--soft-fail"]
    done = subprocess.run([*command, *offline], capture_output=True, text=True, env={**QUIET, "HOME": str(folder)})
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, done.stderr[-2000:]
    failed = [Found(one["check_id"], one["resource"], one["check_name"]) for one in report["results"]["failed_checks"]]
    return report["summary"]["passed"] + report["summary"]["failed"], failed


def _open() -> list[Open]:
    return [Open(row["check"], pattern) for row in _rows() for pattern in row["resources"].split()]


def _rows() -> list[Mapping[str, str]]:
    with Path(__file__).with_name("open.csv").open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
