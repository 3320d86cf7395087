"""`make smoke` against `make local`, with curl and OpenAI's SDK; and against a way that is broken."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from commands.smoke.arguments import read_arguments
from commands.smoke.checks import checks, run
from commands.smoke.outcome import Outcome
from commands.smoke.report import report
from commands.smoke.target import CannotTry, Target, target_at, target_of_stack
from infra.configuration import Secret
from tests.commands.broken_server import serve_broken
from tests.commands.conftest import Keyed
from tests.support.local_service import MISTRAL_MODEL
from tests.support.ports import held_port
from tests.support.processes import ROOT, python

KEY = "sk-an-unspeakable-key"
CURL = (
    'curl -H "Authorization: Bearer $(pulumi stack output api_keys --show-secrets --json --stack {gateway} | '
    "python3 -c 'import json,sys; print(next(iter(json.load(sys.stdin).values())))')\" "
    "-H 'Content-Type: application/json' -d '{body}' '{url}/v1/chat/completions'"
)
"""As a stack has it in its outputs."""

TABLE = """\
{where}, mistralai/Mistral-7B-Instruct-v0.1, D UTC

| check | result | time | note |
|-|-|-|---|
| health | ok | N s | GET /health is N |
| curl | ok | N s | {curl} is answered with N, N bytes |
| model list | ok | N s | N listed, mistralai/Mistral-7B-Instruct-v0.1 among them |
| SDK, plain | ok | N s | N tokens, finish_reason F |
| SDK, streaming | ok | N s | N chunks, finish_reason F |
| time between chunks | ok | N s | N chunks, the first after N s, then N ms apart (median), N ms at most |
| wrong key: 401 | ok | N s | N invalid_api_key from the service and the OpenAI API, {keys} |
| 4 MB request | ok | N s | N MB are answered with N |
| 404 | ok | N s | N from the service, N model_not_found for an unknown model |
| HEAD | ok | N s | HEAD /health is N, without a body |
| 204 | ok | N s | OPTIONS /health is N without a body, and ends; a path with N: --no-content |
| stream of 1 s | ok | N s | {how}: N s, N chunks, longest silence N s |

12 ok.
"""
"""What `make smoke` prints, numbers made N."""

KEYS = "with a wrong key and with none"
HOW = r"(?<=\| )(OpenAI API|/generate_stream)(?=:)"


@pytest.mark.xdist_group("local service with a key")
def test_a_service_is_tried_by_its_address(keyed: Keyed) -> None:
    line = python("-m", "commands.smoke", "--url", keyed.url, "--stream-seconds", "1")
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, "SERVESTACK_KEY": keyed.key}, capture_output=True, text=True, timeout=500
    )
    assert (done.returncode, _normal(done.stdout)) == (
        0,
        TABLE.format(where=keyed.url, curl="curl", how="HOW", keys=KEYS),
    )
    assert keyed.key not in done.stdout + done.stderr


@pytest.mark.xdist_group("local service with a key")
def test_a_service_is_tried_by_its_stack(keyed: Keyed, tmp_path: Path) -> None:
    """What the `pulumi` on PATH says is what a deployed stack would; the stack's own curl is run as it is pasted."""
    body = json.dumps({"model": MISTRAL_MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8})
    curl = CURL.replace("{gateway}", "org/servestack/gw").replace("{body}", body).replace("{url}", keyed.service.url)
    outputs = {
        "url": keyed.url,
        "model": MISTRAL_MODEL,
        "openai_base_url": f"{keyed.service.url}/v1",
        "curl": curl,
    }
    _pulumi(tmp_path, {"yellow-cat-1": outputs, "org/servestack/gw": {"default": keyed.key}})
    line = ["make", "smoke", "STACK=yellow-cat-1", "ARGS=--stream-seconds 1"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    expected = TABLE.format(where=keyed.url, curl="the stack's curl", how="HOW", keys=KEYS)
    assert (done.returncode, _normal(done.stdout)) == (0, expected)
    assert keyed.key not in done.stdout + done.stderr


def test_an_open_service_with_nothing_wrong_is_good() -> None:
    with serve_broken() as server:
        assert _results(_run(server.target())) == {
            "health": "ok",
            "curl": "ok",
            "model list": "ok",
            "SDK, plain": "ok",
            "SDK, streaming": "ok",
            "time between chunks": "ok",
            "wrong key: 401": "skipped",
            "4 MB request": "ok",
            "404": "ok",
            "HEAD": "ok",
            "204": "ok",
            "stream of 0.02 s": "ok",
        }


@pytest.mark.parametrize(
    ("check", "how", "note"),
    [
        ("time between chunks", {"buffered": True}, r"buffered on the way: 12 chunks, the first after .*"),
        ("SDK, plain", {"content": " "}, "an empty answer, finish_reason stop"),
        ("SDK, streaming", {"finish": None}, "a stream of 12 chunks, finish_reason None"),
        ("model list", {"models": ("other", "another")}, "m is not in the list of models: other, another"),
        (
            "health",
            {"statuses": {"GET /health": 503}, "error": {"code": "service_unavailable", "message": "no replica is up"}},
            r"GET /health is 503 \(service_unavailable: no replica is up\)",
        ),
        (
            "4 MB request",
            {
                "statuses": {"POST /v1/chat/completions": 413},
                "error": {"code": "request_too_large", "message": "10 MB"},
            },
            r"4.0 MB are answered with 413 \(request_too_large: 10 MB\)",
        ),
        ("404", {"statuses": {"GET /servestack-smoke/no-such-path": 200}}, "GET /servestack-smoke/no-such-path is 200"),
        ("HEAD", {"statuses": {"HEAD /health": 502}}, "HEAD /health is 502, GET 200"),
        ("204", {"statuses": {"OPTIONS /health": 504}}, "OPTIONS /health is 504"),
        ("stream of 9 s", {"finish": None}, r"OpenAI API, ignore_eos: broke off after 0 s, 12 chunks"),
        ("curl", {"statuses": {"POST /v1/chat/completions": 502}}, "curl is answered with 502"),
        ("health", {"statuses": {"GET /health": 302}}, r"GET /health is 302 \(to http://127.0.0.1:9/elsewhere\)"),
        ("model list", {"shape": []}, r"the answer does not have the expected shape \(AttributeError: .*\)"),
        ("SDK, plain", {"shape": {}}, r"the answer does not have the expected shape \(TypeError: .*\)"),
        ("SDK, plain", {"shape": "no"}, r"the answer does not have the expected shape \(AttributeError: .*\)"),
    ],
)
def test_what_is_broken_on_the_way_fails(check: str, how: dict[str, Any], note: str) -> None:
    with serve_broken(**how) as server:
        outcome = _one(_run(server.target(), stream_seconds=9, only=check))
    assert outcome.result == "FAILED"
    assert re.fullmatch(note, outcome.note), outcome.note


def test_a_key_that_is_not_asked_for_fails() -> None:
    with serve_broken() as server:
        target = Target(url=server.url, openai_base_url=f"{server.url}/v1", model="m", key=Secret(KEY), curl=None)
        outcome = _one(_run(target, only="wrong key: 401"))
    assert (outcome.result, outcome.note) == ("FAILED", "the service answers a wrong key with 404")


def test_a_key_that_an_answer_repeats_is_not_shown() -> None:
    error = {"code": "invalid_api_key", "message": f"{KEY} is unknown"}
    with serve_broken(statuses={"GET /health": 401}, error=error, key=KEY) as server:
        said: list[str] = []
        outcome = _one(_run(server.target(), only="health", said=said))
    assert (outcome.result, outcome.note) == ("FAILED", "GET /health is 401 (invalid_api_key: *** is unknown)")
    assert KEY not in "".join(said)


@pytest.mark.parametrize("before", range(90, 300, 30))
def test_no_part_of_a_key_is_shown_where_a_note_is_cut(before: int) -> None:
    error = {"code": "x", "message": f"{'p' * before} Bearer {KEY}"}
    with serve_broken(statuses={"GET /health": 400}, error=error, key=KEY) as server:
        outcome = _one(_run(server.target(), only="health"))
    assert KEY[:6] not in outcome.note
    assert len(outcome.note) <= 300


def test_a_service_that_wants_a_key_says_so() -> None:
    with serve_broken(key=KEY) as server:
        target = Target(url=server.url, openai_base_url=f"{server.url}/v1", model="m", key=None, curl=None)
        outcome = _one(_run(target, only="health"))
    assert outcome.note == "GET /health is 401: a key is needed; give one with --key"


def test_an_unknown_model_may_be_hidden_from_a_caller_without_a_key() -> None:
    """Another service of the gateway wants a key."""
    error = {"code": "invalid_api_key", "message": "no API key"}
    with serve_broken(statuses={"POST /v1/chat/completions": 401}, error=error) as server:
        outcome = _one(_run(server.target(), only="404"))
    assert (outcome.result, outcome.note) == (
        "ok",
        "404 from the service, 401 invalid_api_key for an unknown model",
    )


def test_a_stream_that_the_model_ends_is_short() -> None:
    with serve_broken() as server:
        outcome = _one(_run(server.target(), stream_seconds=9, only="stream of 9 s"))
    assert outcome.result == "short"
    assert outcome.note == ("OpenAI API, ignore_eos: ended by the model after 0 of 9 s, 12 chunks, finish_reason stop")


def test_what_a_service_without_a_model_cannot_show_is_skipped() -> None:
    with serve_broken() as server:
        results = _results(_run(server.target(model=None)))
    assert {check for check, result in results.items() if result == "skipped"} == {
        "SDK, plain",
        "SDK, streaming",
        "time between chunks",
        "wrong key: 401",
        "stream of 0.02 s",
    }
    assert set(results.values()) == {"ok", "skipped"}


def test_a_gateway_alone_is_tried_for_what_it_answers_itself() -> None:
    with serve_broken(key=KEY) as server:
        outputs = {"openai_base_url": f"{server.url}/v1", "api_keys": {"default": KEY}}
        target = target_of_stack("gateway", lambda _: json.dumps(outputs), key=None)
        results = _results(_run(target))
    assert {check: result for check, result in results.items() if result != "skipped"} == {
        "model list": "ok",
        "wrong key: 401": "ok",
        "404": "ok",
    }


def test_a_gateway_with_open_services_tells_everyone_of_models() -> None:
    with serve_broken() as server:
        target = Target(url=None, openai_base_url=f"{server.url}/v1", model=None, key=Secret(KEY), curl=None)
        outcome = _one(_run(target, only="wrong key: 401"))
    assert outcome.result == "skipped"


def test_a_path_with_204_may_be_named() -> None:
    with serve_broken(statuses={"GET /nothing": 204}) as server:
        outcome = _one(_run(server.target(), no_content="/nothing", only="204"))
    assert (outcome.result, outcome.note) == ("ok", "GET /nothing is 204, and ends")


def test_nothing_that_answers_fails_every_check_without_a_traceback() -> None:
    with held_port() as port:
        url = f"http://127.0.0.1:{port}"
        line = python("-m", "commands.smoke", "--url", url, "--openai-base-url", url, "--model", "m")
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 1
    assert done.stdout.endswith("\n1 skipped, 11 FAILED.\n")
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://yellow-cat-1.example.com", "https://gateway.example.com/v1"),
        ("https://abc.execute-api.eu-west-1.amazonaws.com/v1/services/cat/", None),
        ("http://127.0.0.1:8000/services/yellow-cat-1", "http://127.0.0.1:8000/v1"),
        ("http://yellow-cat-1.localhost:8000", "http://gateway.localhost:8000/v1"),
    ],
)
def test_the_openai_interface_is_found_beside_a_service(url: str, base: str | None) -> None:
    found = target_at(url, openai_base_url=None, model="m", key=None).openai_base_url
    assert found == (base or "https://abc.execute-api.eu-west-1.amazonaws.com/v1/v1")


def test_the_only_model_is_the_services_and_several_are_asked_about() -> None:
    with serve_broken() as server:
        assert target_at(server.url, openai_base_url=f"{server.url}/v1", model=None, key=None) == server.target()
        server.models = ()
        assert target_at(server.url, openai_base_url=f"{server.url}/v1", model=None, key=None).model is None
        server.models = ("a", "b")
        with pytest.raises(CannotTry, match=r"has several models: a, b\. Name the model of the service with --model"):
            target_at(server.url, openai_base_url=f"{server.url}/v1", model=None, key=None)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "cat has no output openai_base_url: no pulumi up of it has succeeded. Run pulumi up --stack cat"),
        (
            {"openai_base_url": "https://gateway.example.com/v1", "api_keys": {}},
            "cat has no API key: set keys in its stack config and run pulumi up, or give a key with --key",
        ),
    ],
)
def test_a_stack_that_cannot_be_tried_says_why(outputs: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotTry) as refused:
        target_of_stack("cat", lambda _: json.dumps(outputs), key=None)
    assert str(refused.value) == said


def test_what_pulumi_says_is_what_a_user_reads(tmp_path: Path) -> None:
    script = tmp_path / "pulumi"
    script.write_text("#!/bin/sh\necho \"error: no stack named 'cat' found\" >&2\nexit 255\n")
    script.chmod(0o755)
    line = python("-m", "commands.smoke", "cat")
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=500
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "Reading the outputs of the stack cat …\nerror: no stack named 'cat' found\n",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([], "give either a STACK or a --url"),
        (["cat", "--url", "http://a.b"], "give either a STACK or a --url"),
        (["cat", "--model", "m"], "--model needs --url: with a STACK it comes from the stack"),
        (["--url", "cat"], "argument --url: 'cat' is not an address: write one like https://yellow-cat-1.example.com"),
        (
            ["--url", "https://me:secret@cat.example.com"],
            "argument --url: an address must not hold a user and a password: give a key with --key",
        ),
        (
            ["cat", "--key", "schlüssel"],
            "the key has characters that a header cannot hold: use ASCII letters, digits and signs",
        ),
        (["cat", "--health", "health"], "argument --health: 'health' is not a path: a path begins with /"),
        (
            ["cat", "--stream-seconds", "900"],
            "argument --stream-seconds: '900' is not a number of seconds from 0 to 840 (the API ends a response after "
            "900)",
        ),
    ],
)
def test_a_wrong_command_line_is_explained(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(line, {})
    assert (ended.value.code, capsys.readouterr().err.splitlines()[-1]) == (2, f"make smoke: error: {said}")


def test_the_key_of_the_command_line_wins_and_is_not_shown() -> None:
    given = read_arguments(["cat", "--key", KEY], {"SERVESTACK_KEY": "sk-other"})
    assert given.key == Secret(KEY)
    assert KEY not in repr(given)
    assert read_arguments(["cat"], {"SERVESTACK_KEY": "sk-other"}).key == Secret("sk-other")


def test_the_report_is_a_table_to_paste() -> None:
    outcomes = [
        Outcome(check="health", result="ok", seconds=0.021, note="GET /health is 200"),
        Outcome(check="SDK, plain", result="FAILED", seconds=1.5, note="503: a | b"),
        Outcome(check="204", result="skipped", seconds=0, note="none"),
    ]
    target = Target(url="https://cat.example.com", openai_base_url="x", model=None, key=None, curl=None)
    assert report(target, outcomes, at=datetime(2026, 9, 1, 12, 30, tzinfo=UTC)) == (
        "https://cat.example.com, no model, 2026-09-01 12:30 UTC\n"
        "\n"
        "| check      | result  | time   | note |\n"
        "|------------|---------|--------|---|\n"
        "| health     | ok      | 0.02 s | GET /health is 200 |\n"
        "| SDK, plain | FAILED  | 1.50 s | 503: a \\| b |\n"
        "| 204        | skipped | 0.00 s | none |\n"
        "\n"
        "1 ok, 1 skipped, 1 FAILED."
    )


def _run(
    target: Target,
    *,
    no_content: str | None = None,
    stream_seconds: float = 0.02,
    only: str | None = None,
    said: list[str] | None = None,
) -> Sequence[Outcome]:
    say = (said if said is not None else []).append
    asked = checks(target, health=None, no_content=no_content, stream_seconds=stream_seconds, say=say)
    return run(target, [check for check in asked if only in (None, check[0])], say)


def _one(outcomes: Sequence[Outcome]) -> Outcome:
    assert len(outcomes) == 1
    return outcomes[0]


def _results(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {outcome.check: outcome.result for outcome in outcomes}


def _normal(text: str) -> str:
    """A report whose numbers, date, padding and ways of ending are always the same."""
    head, _, rest = text.partition("\n")
    head = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "D UTC", head)
    rest = re.sub(r"finish_reason (stop|length)", "finish_reason F", rest)
    rest = re.sub(HOW, "HOW", rest)
    rest = re.sub(r" +\|", " |", re.sub(r"-{4,}", "-", rest))
    lines = [_numbers(line) if line.startswith("| ") else line for line in rest.split("\n")]
    return "\n".join([head, *lines])


def _numbers(line: str) -> str:
    """A row's numbers as N, those of its first cell and of the model's name left."""
    first, bar, rest = line[2:].partition(" |")
    return f"| {first}{bar}" + re.sub(r"(?<![\w.-])\d+(\.\d+)?(?![\w-])", "N", rest)


def _pulumi(folder: Path, outputs: dict[str, dict[str, Any]]) -> None:
    """A `pulumi` that knows the outputs of stacks: of one, all of them or one by name."""
    (folder / "outputs.json").write_text(json.dumps(outputs))
    script = folder / "pulumi"
    script.write_text(
        f"#!{python()[0]}\n"
        "import json, pathlib, sys\n"
        "outputs = json.loads((pathlib.Path(__file__).parent / 'outputs.json').read_text())\n"
        "assert sys.argv[1:3] == ['stack', 'output'] and '--show-secrets' in sys.argv and '--json' in sys.argv\n"
        "print(json.dumps(outputs[sys.argv[sys.argv.index('--stack') + 1]]))\n"
    )
    script.chmod(0o755)
