"""The command line of `make local`."""

from __future__ import annotations

import pytest

from local.arguments import Arguments, read_arguments
from tests.support.processes import ROOT


def test_the_issues_own_line_is_read_whole() -> None:
    line = "a.yml b.yml --port 8123 --gpu 24GB --env A=1 --env B --secret s=1 --secret T --auth --upstream http://127.0.0.1:3000/"
    assert read_arguments(line.split()) == Arguments(
        configurations=("a.yml", "b.yml"),
        port=8123,
        name=None,
        auth=True,
        upstream="http://127.0.0.1:3000",
        docker=False,
        stand_in=None,
        env=("A=1", "B"),
        secrets=("s=1", "T"),
        settings=(("gpu", "24GB"),),
    )


def test_one_configuration_and_nothing_else_means_port_8000_and_the_stand_in() -> None:
    assert read_arguments(["a.yml"]) == Arguments(
        configurations=("a.yml",),
        port=8000,
        name=None,
        auth=False,
        upstream=None,
        docker=False,
        stand_in=None,
        env=(),
        secrets=(),
        settings=(),
    )


def test_the_key_of_auth_can_have_the_limits_of_a_gateways_key() -> None:
    line = "a.yml --auth --requests-per-minute 3 --max-concurrent 1 --tokens-per-day 500 --expires 2027-01-31"
    assert read_arguments(line.split()).limits == (
        ("expires", 1_801_440_000),
        ("requests_per_minute", 3),
        ("tokens_per_day", 500),
        ("max_concurrent", 1),
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.yml --tokens-per-day 5", "--tokens-per-day is a limit of the API key: give --auth with it"),
        (
            "a.yml --auth --requests-per-minute 0",
            "argument --requests-per-minute: '0': the number must be at least 1. Instead: write a larger number",
        ),
        (
            "a.yml --auth --expires soon",
            "argument --expires: 'soon': expires must be a date or a time that exists: YYYY-MM-DD, or "
            "YYYY-MM-DDTHH:MM:SSZ. Instead: write for example 2027-01-31, which includes that whole day in UTC",
        ),
        ("", "no configuration is given: make local CONFIG=examples/mistral/serve.dstack.yml"),
        ("a.yml --port x", "'x' is not a port: give a whole number from 0 to 65535"),
        ("a.yml --port 65536", "'65536' is not a port"),
        ("a.yml --port ８０", "is not a port"),
        ("a.yml --upstream localhost:3000", "is not an address: write one like http://127.0.0.1:3000"),
        ("a.yml --upstream http://", "is not an address"),
        ("a.yml --upstream http://127.0.0.1:3000/?a=b", "is not an address"),
        ("a.yml --upstream http://user:secret@127.0.0.1:3000", "'http://***@127.0.0.1:3000' is not an address"),
        ("a.yml --upstream http://127.0.0.1:x", "is not an address"),
        ("a.yml --docker --stand-in a.gguf", "not allowed with argument"),
        ("a.yml --docker --upstream http://127.0.0.1:3000", "not allowed with argument"),
        ("a.yml b.yml --name one", "--name is the name of one run: give one configuration with it"),
        ("canary", "argument CONFIG: examples/canary has several configurations: write canary/new or canary/stable"),
        ("a.yml --gpus 24GB", "unrecognized arguments: --gpus 24GB (nearest: --gpu)"),
        ("a.yml --memroy 24GB", "(nearest: --memory)"),
        ("a.yml --spot_policy auto", "(nearest: --spot-policy)"),
    ],
)
def test_a_wrong_line_says_what_is_wrong_with_it(line: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_arguments(line.split())
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("vllm", "examples/vllm/serve.dstack.yml"),
        ("tgi", "examples/mistral/serve.dstack.yml"),
        ("llama-3.1", "examples/llama-3.1/serve.dstack.yml"),
        ("canary/stable", "examples/canary/stable.dstack.yml"),
        ("gateway", "examples/gateway.dstack.yml"),
        ("canary/nothing", "canary/nothing"),
        ("nothing", "nothing"),
        ("./vllm", "./vllm"),
        ("docs", "docs"),
        ("..", ".."),
    ],
)
def test_a_word_can_be_the_name_of_an_example(word: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert read_arguments([word]).configurations == (path,)
