"""Wrong values, planted one by one in the configurations and the stack config of the real program: who
refuses each of them before AWS would."""

from __future__ import annotations

import copy
import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.configuration import (
    ConfigurationError,
    GatewayConfiguration,
    apply_settings,
    load,
    read_settings,
)
from infra.planning import PlanError, plan_gateway, plan_service
from tests.aws.planting import plant
from tests.aws.standin import Cloud, NotAccepted
from tests.components.deploying import Account, template_of

FEWEST = 75
"""Of a hundred, how many must be refused."""
RIGHT: Mapping[str, Mapping[str, Any]] = {
    "gateway": {"type": "gateway", "backend": "aws", "region": "us-east-1", "domain": "example.com"},
    "service": {"type": "service", "image": "traefik/whoami:v1", "port": 80, "resources": {"gpu": "16GB"}},
}
STACKS = {"gateway": "gateway", "service": "yellow-cat-1"}


@dataclass(frozen=True)
class Wrong:
    """A row of the table."""

    stack: str
    place: str
    path: str
    value: Any
    refused_by: str
    why: str

    def __str__(self) -> str:
        return f"{self.stack} {self.place} {self.path}: {json.dumps(self.value, ensure_ascii=False)}"[:100]


def _table() -> list[Wrong]:
    with Path(__file__).with_name("wrong_values.csv").open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [
        Wrong(row["stack"], row["in"], row["path"], json.loads(row["value"]), row["refused_by"], row["why"])
        for row in rows
    ]


TABLE = _table()


class Watched(Cloud):
    """An account that remembers whether it refused anything."""

    refused = False

    def checked(self, *args: Any, **named: Any) -> dict[str, Any]:
        return self._watch(super().checked, *args, **named)

    def create(self, *args: Any, **named: Any) -> Any:
        return self._watch(super().create, *args, **named)

    def call(self, *args: Any, **named: Any) -> dict[str, Any]:
        return self._watch(super().call, *args, **named)

    def region(self, of_provider: str | None) -> str:
        return self._watch(super().region, of_provider)

    def _watch(self, ask: Any, *args: Any, **named: Any) -> Any:
        try:
            return ask(*args, **named)
        except NotAccepted:
            self.refused = True
            raise


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """An account with the gateway that the services need."""
    account = Account(tmp_path_factory.mktemp("gateway"))
    account.up("gateway", _config(account, RIGHT["gateway"]))
    return account


def test_a_hundred_values_are_planted_and_more() -> None:
    assert len(TABLE) >= 100
    assert len({str(wrong) for wrong in TABLE}) == len(TABLE)
    assert all(wrong.why for wrong in TABLE if wrong.refused_by == "passes"), "what passes says why"


@pytest.mark.parametrize("stack", ["gateway", "service"])
def test_what_they_are_planted_in_is_right(gateway: Account, tmp_path: Path, stack: str) -> None:
    assert _refused_by(gateway, tmp_path, stack, RIGHT[stack], {}) == "passes"


@pytest.mark.parametrize("wrong", TABLE, ids=str)
def test_a_wrong_value_is_refused_by_whom_the_table_says(gateway: Account, tmp_path: Path, wrong: Wrong) -> None:
    in_file = wrong.place == "file"
    configuration = plant(RIGHT[wrong.stack], wrong.path, wrong.value) if in_file else RIGHT[wrong.stack]
    config = {} if in_file else _with_what_belongs_to_it(wrong)
    assert _refused_by(gateway, tmp_path, wrong.stack, configuration, config) == wrong.refused_by


def test_how_many_wrong_values_are_refused_before_aws_would(capsys: pytest.CaptureFixture[str]) -> None:
    by = Counter(wrong.refused_by for wrong in TABLE)
    passing = [f"  {wrong}\n    {wrong.why}" for wrong in TABLE if wrong.refused_by == "passes"]
    refused = len(TABLE) - len(passing)
    with capsys.disabled():
        print(f"\nwrong values planted one by one in the program: {refused} of {len(TABLE)} refused before AWS would")
        print("\n".join(f"  {name:14}{count:3}" for name, count in by.most_common() if name != "passes"))
        print("what passes:", *passing, sep="\n")
    assert refused >= FEWEST


def _with_what_belongs_to_it(wrong: Wrong) -> dict[str, Any]:
    """A VPC is given with its subnets, and they with it."""
    beside = {"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1"}
    return {**(beside if wrong.path in beside else {}), wrong.path: wrong.value}


def _config(account: Account, configuration: Mapping[str, Any], **config: Any) -> dict[str, Any]:
    path = account.written("planted.dstack.yml", yaml.safe_dump(dict(configuration)))
    return {"configuration": path, "preflight": "false", **config}


def _refused_by(
    there: Account, folder: Path, stack: str, configuration: Mapping[str, Any], extra: Mapping[str, Any]
) -> str:
    """The first that refuses: `configuration`, `plan`, `program`, `stand-in`; or `passes`. The whole program must
    refuse what a part of it does."""
    account = Account(folder)
    config = _config(account, configuration, **extra)
    by = _part(config, stack)
    beside = stack == "service" and by is None
    cloud = Watched(there.cloud.world, copy.deepcopy(there.cloud.records) if beside else None)
    account.cloud, account.outputs = cloud, dict(there.outputs)
    recording = account.attempt(STACKS[stack], config)
    if by is not None:
        assert recording.errors, f"refused by the {by} alone"
        return by
    if not recording.errors:
        return "passes"
    return "stand-in" if cloud.refused else "program"


def _part(config: Mapping[str, Any], stack: str) -> str | None:
    """Whether reading or planning refuses it."""
    try:
        configuration = load(config["configuration"])
        texts = {key: _text(value) for key, value in config.items()}
        if isinstance(configuration, GatewayConfiguration):
            settings = read_settings(texts, "gateway")
            plan_gateway(apply_settings(configuration, settings), name=STACKS[stack], settings=settings)
        else:
            settings = read_settings(texts, "service")
            changed = apply_settings(configuration, settings)
            plan_service(changed, run=STACKS[stack], environment={}, resolve=template_of, settings=settings)
    except PlanError:
        return "plan"
    except ConfigurationError:
        return "configuration"
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
