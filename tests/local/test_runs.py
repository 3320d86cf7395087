"""Configurations of the command line become planned runs, or one report of everything that is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.configuration import Secret
from infra.planning.chat_template import ModelRepository
from infra.planning.repository import HubError
from local.arguments import read_arguments
from local.runs import CannotServe, PlannedRun, plan_runs
from tests.support.local_service import LLAMA_2, MISTRAL
from tests.support.processes import ROOT

NGINX = "type: service\nimage: nginx\nport: 80\n"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_configuration_without_a_name_gets_one_like_the_documents_and_the_same_each_time() -> None:
    (first,), (second,) = _planned(LLAMA_2), _planned(LLAMA_2)
    assert first.plan.run == second.plan.run
    assert [part.isalpha() for part in first.plan.run.split("-")] == [True, True, False]


def test_a_copy_of_the_project_gives_its_files_the_same_names(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    assert _planned(str(tmp_path / LLAMA_2))[0].plan.run == _planned(LLAMA_2)[0].plan.run


def test_several_configurations_get_names_of_their_own(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" / "same" / "web.dstack.yml" for number in range(3)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(NGINX)
    names = [run.plan.run for run in _planned(*map(str, paths))]
    assert [name.rpartition("-")[2] for name in names] == ["1", "2", "3"]
    assert len(set(names)) == 3


def test_the_flag_wins_over_the_configurations_name(tmp_path: Path) -> None:
    path = tmp_path / "a.dstack.yml"
    path.write_text(f"{NGINX}name: written-1\n")
    assert [_planned(str(path))[0].plan.run, _planned(str(path), "--name", "given-1")[0].plan.run] == [
        "written-1",
        "given-1",
    ]


def test_settings_change_the_plan_as_stack_config_does() -> None:
    (run,) = _planned(LLAMA_2, "--gpu", "A10G:24GB:1", "--env", "A=1", "--env", "B=x=y", "--max-price", "1.5")
    assert {offer.gpu for offer in run.plan.offers} == {"A10G"}
    assert all(offer.price <= 1.5 for offer in run.plan.offers)
    assert dict(run.plan.container.environment) | {"A": "1", "B": "x=y"} == dict(run.plan.container.environment)


def test_an_unknown_hub_repository_is_a_report_and_no_traceback() -> None:
    report = _refused(MISTRAL)
    assert report.startswith(f"{MISTRAL}: 1 problem\n\nline 11, model.chat_template\n")
    assert "nothing is asked in this test" in report


def test_every_problem_of_every_configuration_comes_in_one_report(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.dstack.yml"
    wrong.write_text("type: service\nimage: x\nport: 80\nmodle: x\nreplicas: -1\n")
    report = _refused(str(wrong), "examples/gateway.dstack.yml", "missing.dstack.yml")
    assert [line for line in report.splitlines() if line and not line.startswith("  ")] == [
        f"{wrong}: 2 problems",
        "line 4, modle",
        "line 5, replicas",
        "examples/gateway.dstack.yml: 1 problem",
        "line 1, type",
        "missing.dstack.yml: 1 problem",
    ]
    assert "`model`" in report, "the nearest known key"


def test_a_wrong_flag_is_named_once_however_many_configurations_there_are() -> None:
    report = _refused(LLAMA_2, MISTRAL, "--gpu", "24XB", "--env", "1A=x")
    assert report.count("--gpu") == 1
    assert [line for line in report.splitlines() if line and not line.startswith("  ")][:2] == [
        "command line: 2 problems",
        "--gpu",
    ]


@pytest.mark.parametrize("name", ["gateway", "Yellow", "a_b", "x" * 64])
def test_a_run_name_that_is_none_is_refused_by_its_flag(name: str) -> None:
    assert "--name\n" in _refused(LLAMA_2, "--name", name)


def test_a_value_of_env_is_never_in_a_report() -> None:
    assert "hf_secret" not in _refused(LLAMA_2, "--env", "HUGGING_FACE_HUB_TOKEN=hf_secret", "--gpu", "24XB")


def test_two_configurations_of_the_same_name_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "a.dstack.yml", tmp_path / "b.dstack.yml"]
    for path in paths:
        path.write_text(f"{NGINX}name: same-1\n")
    report = _refused(*map(str, paths))
    assert f"rule:   {paths[0]} and {paths[1]} have the same run name" in report
    assert "remedy: give one of them another `name`" in report


def test_two_configurations_with_one_model_name_are_refused_unless_they_share_it(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{name}.dstack.yml") for name in ("a", "b", "web")]
    for path, more in zip(paths, ("model: m\nname: a\n", "model: m\nname: b\n", "name: web\n"), strict=True):
        Path(path).write_text(NGINX + more)
    assert (
        _refused(*paths)
        == f"""command line: 1 problem

model.name
  found:  m
  rule:   {paths[0]} and {paths[1]} have it
  remedy: give one of them another `model.name`, or let them share its requests: --weight 1"""
    )
    assert [run.plan.weight for run in _planned(*paths, "--weight", "2")] == [2, 2, None]


def test_a_file_that_is_named_twice_is_refused() -> None:
    assert "rule:   a configuration is one run" in _refused(LLAMA_2, f"./{LLAMA_2}")


def test_a_bare_variable_takes_the_callers_value_and_is_missed_when_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.dstack.yml"
    path.write_text(f"{NGINX}env:\n  - TOKEN_OF_MINE\n")
    assert "TOKEN_OF_MINE has no value in the configuration, and your environment does not set it" in _refused(
        str(path)
    )
    (run,) = plan_runs(read_arguments([str(path)]), environment={"TOKEN_OF_MINE": "v"}, resolve=_asks_nothing)
    assert dict(run.plan.container.environment)["TOKEN_OF_MINE"].reveal() == "v"  # pyright: ignore


def test_a_secret_is_given_with_its_value_or_by_the_name_that_the_shell_knows(tmp_path: Path) -> None:
    path = tmp_path / "serve.dstack.yml"
    path.write_text(f"{NGINX}env:\n  - A=${{{{ secrets.one }}}}-${{{{ secrets.TWO }}}}\n")
    line = [str(path), "--secret", "one=1", "--secret", "TWO"]
    (run,) = plan_runs(read_arguments(line), environment={"TWO": "2"}, resolve=_asks_nothing)
    assert dict(run.plan.container.environment)["A"] == Secret("1-2")
    report = _refused(str(path), "--secret", "one=1")
    assert "TWO is not a secret in stack config" in report
    assert "a secret must have a value" in _refused(*line[:3], "--secret", "TWO")


def _planned(*line: str) -> tuple[PlannedRun, ...]:
    return plan_runs(read_arguments(line), environment={}, resolve=_asks_nothing)


def _refused(*line: str) -> str:
    with pytest.raises(CannotServe) as refused:
        _planned(*line)
    return str(refused.value)


def _asks_nothing(_: ModelRepository) -> None:
    raise HubError("nothing is asked in this test", "give the template")
