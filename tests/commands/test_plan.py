"""`make plan` over the examples: its whole output, and what it says instead of a plan."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from commands.in_process import Run
from commands.plan.__main__ import main
from commands.plan.arguments import read_arguments
from commands.plan.assumptions import assumed_region
from commands.plan.costs import monthly_costs, read_kinds
from commands.plan.planned import Planned, plan_configuration
from commands.plan.report import created, report
from commands.program_monitor import Registration
from infra.configuration import Secret
from infra.planning import (
    ChatTemplate,
    HubOutOfReachError,
    ModelRepository,
    ServicePlan,
    resolve_with,
    unresolved,
    unweighed,
)
from infra.planning.hub import open_on_hub
from infra.planning.prices import read_prices
from tests.planning.hub_server import Repository, serve_hub
from tests.preflight.hub import Model, safetensors, with_config
from tests.preflight.hub import serve_hub as serve_weights
from tests.support.processes import ROOT, python, running

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")
"""pulumi_aws warns of parts of its own when they are imported."""

EXAMPLES = {
    "gateway": ["examples/gateway.dstack.yml"],
    "gateway-without-domain": [
        "examples/gateway-without-domain.dstack.yml",
        "--vpc-id=vpc-12345678",
        "--subnet-ids=subnet-12345678,subnet-23456789",
    ],
    "gateway-audit": [
        "examples/gateway.dstack.yml",
        "--audit=true",
        "--reserved-concurrency=200",
        "--memory-size=512",
        "--alarm-topic=arn:aws:sns:us-east-1:123456789012:on-call",
        "--budget=100",
    ],
    "python": ["examples/python/serve.dstack.yml"],
    "replica-groups": [
        "examples/replica-groups/serve.dstack.yml",
        "--offers=2",
        "--alarm-email=ops@example.com",
        "--budget=500",
    ],
    "files": ["examples/files/serve.dstack.yml", "--offers", "1"],
    "mistral": ["examples/mistral/serve.dstack.yml", "--gpu", "24GB", "--env", "HUGGING_FACE_HUB_TOKEN=hf_unspeakable"],
    "llama-2": ["examples/llama-2/serve.dstack.yml", "--gpu", "24GB", "--spot-policy=spot", "--stack", "quantized"],
    "autoscaling": [
        "examples/autoscaling/serve.dstack.yml",
        "--regions=eu-west-1",
        "--offers=1",
        "--alarm-email=ops@example.com",
        "--budget=500",
    ],
}
"""File of plans/ -> the command line. Made anew: `python -m commands.plan LINE > tests/commands/plans/FILE.txt`, with
HF_ENDPOINT=http://127.0.0.1:9."""
CHATTY = "examples/mistral/serve.dstack.yml"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_planned(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(EXAMPLES[name])
    assert (status, capsys.readouterr().out) == (0, (ROOT / f"tests/commands/plans/{name}.txt").read_text())


def test_no_value_of_the_environment_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(EXAMPLES["mistral"])
    printed = capsys.readouterr()
    assert "unspeakable" not in printed.out + printed.err
    assert "hf_unspeakable" not in repr(read_arguments(EXAMPLES["mistral"], {}))


def test_a_variable_without_a_value_is_taken_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    given = read_arguments([CHATTY, "--env", "A=x=y", "--env", "TOKEN"], {"TOKEN": "hf_unspeakable"}).settings["env"]
    assert given == Secret('["A=x=y", "TOKEN=hf_unspeakable"]')
    with pytest.raises(SystemExit):
        read_arguments([CHATTY, "--env", "TOKEN"], {})
    said = "make plan: error: argument --env: TOKEN is not set in this shell; write --env TOKEN=value"
    assert capsys.readouterr().err.splitlines()[-1] == said
    given = read_arguments([CHATTY, "--secret", "s=1", "--secret", "TOKEN"], {"TOKEN": "hf_unspeakable"}).settings
    assert given == {"secrets": Secret('["s=1", "TOKEN=hf_unspeakable"]')}


def test_an_example_can_be_one_of_a_folder_and_the_folder_alone_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    given = read_arguments(["canary/stable", "examples/canary/stable.dstack.yml", "canary/new"], {})
    assert given.configurations == ("examples/canary/stable.dstack.yml", "examples/canary/new.dstack.yml")
    with pytest.raises(SystemExit) as ended:
        read_arguments(["canary"], {})
    said = "argument CONFIG: examples/canary has several configurations: write canary/new or canary/stable"
    assert (ended.value.code, capsys.readouterr().err.splitlines()[-1]) == (2, f"make plan: error: {said}")


def test_a_gateway_is_assumed_where_the_service_may_run() -> None:
    plan = _planned(CHATTY).plan
    assert isinstance(plan, ServicePlan)
    asked = {
        (None, None): "us-east-1",
        (("eu-west-1", "us-east-1"), None): "eu-west-1",
        (None, ("us-west-2-lax-1a",)): "us-west-2",
        (None, ("us-gov-west-1a",)): "us-gov-west-1",
        (("eu-west-1", "us-east-1"), ("us-east-1b",)): "us-east-1",
        (("eu-west-1",), ("us-east-1b",)): "eu-west-1",
    }
    assumed = {(r, z): assumed_region(replace(plan, regions=r, availability_zones=z)) for r, z in asked}
    assert assumed == asked


def test_zones_of_other_regions_have_no_subnet_of_the_gateway_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main([CHATTY, "--gpu=24GB", "--env=HUGGING_FACE_HUB_TOKEN=x", "--availability-zones=eu-west-1c,us-east-1a"])
        == 0
    )
    printed = capsys.readouterr().out
    assert "is a gateway in eu-west-1 with the domain" in printed
    assert "The gateway has a subnet in eu-west-1c." in printed


def test_prose_keeps_to_a_narrower_terminal() -> None:
    text = report(_planned(CHATTY), offers=1, width=79)
    prose = text[text.index("A month has 730 hours") :].splitlines()
    assert max(map(len, prose)) <= 79


def test_the_price_of_every_kind_that_an_example_creates_is_known() -> None:
    for example in sorted(Path("examples").rglob("*.dstack.yml")):
        planned = _planned(str(example), env={"HF_TOKEN": "hf_x"})
        assert monthly_costs(planned.plan, created(planned)).unknown == ()


def test_every_price_that_a_kind_has_is_in_the_table() -> None:
    named = {price for prices in read_kinds().values() for price in prices}
    assert named - {"instance"} == read_prices().keys() - {"small machine"}, "instances' prices are in the catalog"


def test_zero_replicas_at_rest_cost_nothing_but_their_alarms_and_their_dashboard(tmp_path: Path) -> None:
    planned = _planned(
        _written(tmp_path, "replicas: 0..2", "scaling: {metric: rps, target: 1}", "model: {name: m, format: openai}")
    )
    costs = monthly_costs(planned.plan, created(planned))
    assert isinstance(planned.plan, ServicePlan)
    hour = planned.plan.offers[0].price
    assert [(cost.what, round(cost.at_rest, 2), round(cost.full_size, 2)) for cost in costs.counted] == [
        ("0 to 2 x g6.xlarge", 0, round(2 * hour * 730, 2)),
        ("0 to 2 x EBS gp3 volume", 0, 16),
        ("0 to 2 x public IPv4 address", 0, 7.3),
        ("12 x metric of a CloudWatch alarm of standard resolution", 1.2, 1.2),
        ("1 x CloudWatch dashboard", 3.0, 3.0),
        ("8 x CloudWatch custom metric of requests", 0, 2.4),
        ("5 x CloudWatch custom metric of replicas", 0, 1.5),
        ("1 x Route 53 record", 0, 0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "schedule: {cron: '0 8 * * mon-fri'}",
        "utilization_policy: {min_gpu_utilization: 10, time_window: 1h}",
    ],
)
def test_a_service_that_ends_by_itself_costs_nothing_at_rest_but_its_dashboard(tmp_path: Path, line: str) -> None:
    planned = _planned(_written(tmp_path, "replicas: 2", line, "model: {name: m, format: openai}"))
    costs = monthly_costs(planned.plan, created(planned))
    assert isinstance(planned.plan, ServicePlan)
    hour = planned.plan.offers[0].price
    assert [(cost.what, round(cost.at_rest, 2), round(cost.full_size, 2)) for cost in costs.counted] == [
        ("0 to 2 x g6.xlarge", 0, round(2 * hour * 730, 2)),
        ("0 to 2 x EBS gp3 volume", 0, 16),
        ("0 to 2 x public IPv4 address", 0, 7.3),
        ("1 x CloudWatch dashboard", 3.0, 3.0),
        ("7 x CloudWatch custom metric of requests", 0, 2.1),
        ("5 x CloudWatch custom metric of replicas", 0, 1.5),
        ("1 x Route 53 record", 0, 0),
    ]


def test_the_instances_of_a_capacity_block_are_paid_already(tmp_path: Path) -> None:
    lines = ["reservation: cr-0123456789abcdef0", "instance_types: [p5.48xlarge]", "availability_zones: [us-east-1a]"]
    path = Path(_written(tmp_path, *lines))
    path.write_text(path.read_text().replace("24GB", "80GB:8"))
    planned = _planned(str(path), settings={"capacity_block": "true"})
    first, *_ = monthly_costs(planned.plan, created(planned)).counted
    assert (first.what, first.how, first.at_rest, first.full_size) == ("1 x p5.48xlarge", "$0 an hour", 0, 0)


def test_a_kind_whose_price_is_not_known_is_named() -> None:
    planned = _planned(CHATTY)
    strange = _registration(planned.run, "aws:ec2/natGateway:NatGateway")
    text = report(replace(planned, run=replace(planned.run, registrations=(strange,))), offers=1)
    assert "Not included, because its price is unknown: aws:ec2/natGateway:NatGateway." in text


def test_secrets_of_the_command_line_become_parameters() -> None:
    planned = _planned(CHATTY, settings={"env": Secret('["A_TOKEN=x", "OTHER=y"]')})
    parameters = [one.name for one in created(planned) if one.type == "aws:ssm/parameter:Parameter"]
    assert parameters == ["yellow-cat-1-A_TOKEN", "yellow-cat-1-OTHER"]


def test_a_template_that_the_hub_has_is_not_listed(tmp_path: Path) -> None:
    files = {"tokenizer_config.json": b'{"chat_template": "{{ messages }}", "eos_token": "</s>"}'}
    with serve_hub() as hub:
        hub.repositories["mistralai/Mistral-7B-Instruct-v0.1"] = Repository(files)
        opened = open_on_hub({"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path)}, pauses=())
        stages: list[str] = []
        planned = plan_configuration(
            CHATTY,
            {},
            stack=None,
            environment={},
            resolve=resolve_with(opened),
            weigh=unweighed,
            stage=stages.append,
        )
        asked = len(hub.requests)
    assert planned.unresolved == ()
    assert "unresolved" not in report(planned, offers=1).lower()
    assert stages == [
        f"Reading {CHATTY}",
        "Asking the Hub for the chat template of mistralai/Mistral-7B-Instruct-v0.1",
        "Asking the Hub how large mistralai/Mistral-7B-Instruct-v0.1 is",
        "Running the program that pulumi up runs",
    ], "the program is given what the plan found"
    assert asked > 0


def test_a_hub_that_does_not_answer_is_waited_for_once() -> None:
    asked: list[str] = []

    def silent(wanted: ModelRepository) -> ChatTemplate:
        asked.append(wanted.repo)
        raise HubOutOfReachError("the Hub did not answer", "try again")

    def weigh(wanted: ModelRepository) -> None:
        asked.append(f"weights of {wanted.repo}")

    plan_configuration(CHATTY, {}, stack=None, environment={}, resolve=silent, weigh=weigh, stage=lambda _: None)
    assert asked == ["mistralai/Mistral-7B-Instruct-v0.1"]


def test_a_model_is_weighed_once() -> None:
    asked: list[str] = []

    def weigh(wanted: ModelRepository) -> None:
        asked.append(wanted.repo)

    plan_configuration(CHATTY, {}, stack=None, environment={}, resolve=unresolved, weigh=weigh, stage=lambda _: None)
    assert asked == ["mistralai/Mistral-7B-Instruct-v0.1"], "the program is given what the plan found"


def test_the_plan_says_what_fits_by_the_hub_s_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "hidden_size": 4096,
        "max_position_embeddings": 131072,
    }
    path = tmp_path / "serve.dstack.yml"
    path.write_text(
        "type: service\nname: a-run\nimage: vllm/vllm-openai\nport: 8000\n"
        "commands: [vllm serve owner/model --max-model-len 8192]\nresources: {gpu: 'L4:1'}\n"
    )
    with serve_weights() as hub:
        hub.models["owner/model"] = Model(with_config(safetensors(BF16=8_030_261_248)), config=config)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert main([str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "owner/model has 15.0 GiB of weights (from 8.0 billion parameters). By estimate, L4:24GB has room for 1 to 4 "
        "sequences of full length (8,192 tokens)."
    ) in said
    assert [question.partition("?")[0] for question in hub.asked] == [
        "/api/models/owner/model",
        f"/owner/model/resolve/{'0' * 40}/config.json",
    ]


def test_what_the_hub_refuses_is_wrong_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        status = main([CHATTY])
    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    assert "line 11, model.chat_template" in printed.err
    assert "the Hub has no public repository mistralai/Mistral-7B-Instruct-v0.1 (401)" in printed.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            ["nowhere.dstack.yml"],
            "nowhere.dstack.yml: 1 problem\n\n"
            "  found:  no such file or directory\n"
            "  rule:   a configuration must be a readable file\n"
            f"  remedy: check the path, which is relative to {Path.cwd()}\n",
        ),
        (
            [CHATTY, "--vpc-id", "vpc-12345678"],
            "command line: 1 problem\n\n"
            "--vpc-id\n"
            "  rule:   `vpc_id` is a setting of a gateway, and this configuration is a service\n"
            "  remedy: remove it here, and set it in the stack of the gateway\n",
        ),
        (
            ["examples/gateway.dstack.yml", "--name", "x"],
            "command line: 1 problem\n\n"
            "--name\n"
            "  found:  x\n"
            "  rule:   a run name is the name of a service, and examples/gateway.dstack.yml is the configuration of a "
            "gateway\n"
            "  remedy: remove --name; --stack is the name of the stack\n",
        ),
        (
            [CHATTY, "--stack", "services"],
            f"{CHATTY}: 1 problem\n\n"
            "run name\n"
            "  found:  'services'\n"
            "  rule:   a run name must not be gateway, services, v1 or www, because the gateway uses these names\n"
            "  remedy: choose another name\n",
        ),
    ],
)
def test_what_cannot_be_planned_is_reported(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = main(line), capsys.readouterr()
    reading = f"Loading Pulumi's SDK …\nReading {line[0]} …\n"
    asking = "Asking the Hub for the chat template of mistralai/Mistral-7B-Instruct-v0.1 …\n"
    assert (status, printed.out, printed.err.replace(asking, "")) == (1, "", reading + said)


def test_every_problem_of_the_command_line_is_reported_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([CHATTY, "--max-price", "cheap", "--cpu", "none", "--wait", "maybe"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line for line in printed.err.splitlines() if line.startswith("-")] == ["--cpu", "--max-price", "--wait"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([CHATTY, "--gpuu", "24GB"], "unrecognized arguments: --gpuu 24GB (nearest: --gpu)"),
        ([], "no configuration is given: make plan CONFIG=examples/mistral/serve.dstack.yml"),
        ([CHATTY, "other.yml", "--name", "x"], "--name is the name of one run: give one configuration with it"),
        ([CHATTY, "other.yml", "--stack", "x"], "--stack is the name of one stack: give one configuration with it"),
        ([CHATTY, "--offers", "0"], "argument --offers: '0' is not a number of offers: give a whole number from 1"),
        (
            [CHATTY, "--stack", "a/b"],
            "argument --stack: 'a/b' is not a name of a stack: use letters, digits, -, _ and .",
        ),
    ],
)
def test_a_wrong_command_line_is_explained(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert (ended.value.code, capsys.readouterr().err.splitlines()[-1].partition("error: ")[2]) == (2, said)


def test_a_switch_may_stand_alone_and_may_be_turned_off() -> None:
    given = read_arguments([CHATTY, "--auth", "--wait", "false", "--max-price=1.5"], {}).settings
    assert given == {"auth": "true", "wait": "false", "max_price": "1.5"}


def test_what_is_being_done_is_said_before_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([CHATTY, "--gpu", "24GB"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "Loading Pulumi's SDK …",
        f"Reading {CHATTY} …",
        "Asking the Hub for the chat template of mistralai/Mistral-7B-Instruct-v0.1 …",
        "Running the program that pulumi up runs …",
    ]


def test_several_configurations_have_a_report_each_and_one_that_fails_hides_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = ["examples/gateway.dstack.yml", "nowhere.dstack.yml", "examples/llama-2/serve.dstack.yml"]
    assert main([*paths, "--gpu", "24GB", "--audit=true", "--offers", "1"]) == 1
    printed = capsys.readouterr()
    reports = printed.out.split(f"\n{'─' * 118}\n\n")
    assert [report.splitlines()[0].split() for report in reports] == [
        ["Configuration", paths[0]],
        ["Configuration", paths[2]],
    ]
    assert "aws:ec2/flowLog:FlowLog" in reports[0], "a word of a gateway goes to the gateway"
    assert " g6.xlarge " in reports[1], "a word of a service goes to the service"
    assert "nowhere.dstack.yml: 1 problem" in printed.err
    assert main([paths[2], paths[2]]) == 0
    assert capsys.readouterr().out.count("Configuration  ") == 1


def test_a_word_that_none_of_several_configurations_takes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["examples/llama-2/serve.dstack.yml", CHATTY, "--zone-id", "Z0123456789ABC"]) == 1
    assert (
        capsys.readouterr().err.count("`zone_id` is a setting of a gateway, and this configuration is a service") == 2
    )


def test_a_name_is_the_run_name_whatever_the_configuration_says(tmp_path: Path) -> None:
    named = _written(tmp_path)
    plan = _planned(named, name="awake")
    assert isinstance(plan.plan, ServicePlan)
    assert (plan.plan.run, plan.stack) == ("awake", "awake")
    assert {one.name.partition("-")[0] for one in created(plan) if one.type.startswith("aws:")} == {"awake"}
    said = f"pulumi up uses the run name sleepy, from {named}. To deploy as awake, set `name: awake` in that file."
    assert plan.notes == (said,)
    assert said in report(plan, offers=1, width=1000)
    assert _planned(named, name="sleepy").notes == ()


def test_the_name_of_the_stack_is_another_thing(tmp_path: Path) -> None:
    unnamed = Path(_written(tmp_path))
    unnamed.write_text(unnamed.read_text().replace("name: sleepy\n", ""))
    plan = _planned(str(unnamed), name="awake", stack="production")
    assert isinstance(plan.plan, ServicePlan)
    assert (plan.plan.run, plan.stack, plan.notes) == (
        "awake",
        "production",
        (
            f"pulumi up uses the run name production, the name of its stack, because {unnamed} has no `name`. To "
            "deploy as awake, set `name: awake` in that file.",
        ),
    )
    assert _planned(str(unnamed), name="awake").notes == ()


def test_make_plan_prints_nothing_but_the_plan() -> None:
    line = [
        "make",
        "--no-print-directory",
        "plan",
        f"CONFIG={EXAMPLES['llama-2'][0]}",
        f"ARGS={' '.join(EXAMPLES['llama-2'][1:])}",
    ]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert (done.returncode, done.stdout) == (0, (ROOT / "tests/commands/plans/llama-2.txt").read_text())


def test_a_reader_that_leaves_is_no_error() -> None:
    with running(["bash", "-c", f"{' '.join(python('-m', 'commands.plan', CHATTY))} | head -1"]) as process:
        assert process.wait() == 0
        assert "Traceback" not in process.output
        assert process.output.count("Configuration") == 1


def _planned(
    path: str,
    *,
    env: dict[str, str] | None = None,
    settings: dict[str, str | Secret] | None = None,
    stack: str | None = None,
    name: str | None = None,
) -> Planned:
    return plan_configuration(
        path,
        settings or {},
        stack=stack,
        name=name,
        environment=env or {},
        resolve=unresolved,
        weigh=unweighed,
        stage=lambda _: None,
    )


def _written(folder: Path, *lines: str) -> str:
    path = folder / "serve.dstack.yml"
    rest = ["type: service", "name: sleepy", "image: vllm/vllm-openai:v0.11.0", "commands: [serve]", "port: 8000"]
    path.write_text("\n".join([*rest, "resources: {gpu: 24GB}", *lines]))
    return str(path)


def _registration(run: Run, type: str) -> Registration:
    one = next(one for one in run.registrations if one.type.startswith("aws:"))
    return replace(one, type=type, name="strange")
