"""The gateway's page in a real browser, as a person uses it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_lambda.page import states
from gateway_lambda.registry import dynamodb, state_items, table_client
from gateway_lambda.registry.dynamodb import DynamoRegistry
from tests.clients.conftest import Programs
from tests.clients.environments import CACHE
from tests.gateway.keys import ALL, secret
from tests.gateway.scripted_tgi import (
    STREAM_HEAD,
    Asked,
    Write,
    answer,
    broken_stream,
    events,
    failure,
    reply,
    stream,
)
from tests.gateway.serving import Bench
from tests.registry.scripted_dynamodb import Table, scripted_dynamodb
from tests.support.certificates import made_certificate
from tests.support.requirements import chromium, require

Browse = Callable[..., Any]
"""`browse("chat")`: what the function of the program returns."""
FIGURES = "4 tokens · first token after 0.50 s · 3.0 tokens a second"
"""By a clock that goes on by half a second each time that it is read."""
SENTENCE = (
    "I would say mustard. It is sharp and a little sweet, it goes with bread, potatoes and most vegetables, and a "
    "spoonful of it turns oil and vinegar into a dressing. If you like it mild, choose one with honey; if you like it "
    "hot, choose one from Dijon."
)
DRAWN = os.environ.get("SERVESTACK_PICTURES", "")
"""A folder, such as docs/pictures, whose pictures are drawn again."""
FOLDER = {"PICTURES": str(Path(DRAWN).resolve())} if DRAWN else {}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstreams here run beside the gateway in one thread, and the machine can be slow: what answers is never given
    up."""
    monkeypatch.setattr(states, "_PATIENCE", 60)
    monkeypatch.setattr(state_items, "PATIENCE", 60)
    monkeypatch.setattr(dynamodb, "PATIENCE_WITHOUT", 60)
    monkeypatch.setattr(table_client, "_PATIENCE_TO_CONNECT", 60)


@pytest.fixture
def browse(program: Programs, bench: Bench) -> Browse:
    require("chromium")
    page = program("page")

    def run(function: str, **variables: str) -> Any:
        return page.run(bench.url, function, CHROMIUM=chromium() or "", **variables)[function]

    return run


def test_a_model_is_chosen_and_answers_as_a_stream(bench: Bench, browse: Browse) -> None:
    bench.register(bench.service("first", model="org/first"), bench.service("second", model="org/second", tools="off"))
    found = browse("chat")
    assert found == {
        "figures": FIGURES,
        "told": f"The answer is complete: {FIGURES.replace(' · ', ', ')}. Hello world",
        "turns": ["Hi", "Hello world", "And now?", "Hello world"],
        "before": "no requests",
        "roles": ["system", "user", "assistant", "user"],
        "facts": {
            "State": "Ready",
            "Run": "second",
            "Address": f"{bench.url}/services/second",
            "Runs on": "this machine",
            "Context": "4,096 tokens",
            "Can do": "completion",
            "Replicas": "1 of 1 ready",
            "Last minute": "2 requests, 8 tokens",
            "API key": "not needed",
        },
    }
    first, second = bench.tgi.generated
    given = first.parameters
    assert (given["temperature"], given["top_p"], given["max_new_tokens"]) == (0.5, 0.9, 64)
    assert [asked.json["inputs"] for asked in (first, second)] == [
        "[system]Be brief.</s>[user]Hi</s>[assistant]",
        "[system]Be brief.</s>[user]Hi</s>[assistant]Hello world</s>[user]And now?</s>[assistant]",
    ]


def test_it_lists_models_with_their_states_and_other_runs(bench: Bench, browse: Browse) -> None:
    bench.register(
        bench.service("chat", model="org/chat"),
        bench.service("web", model=None),
        bench.service("vectors", model="org/vectors", format="openai", generates=False),
        bench.service("lost", model="org/lost", url=bench.nobody()),
        bench.service("closed", model="org/closed", auth=True),
        keys=(ALL,),
    )
    assert browse("models") == {
        "models": ["org/chat\nReady · chat", "org/lost\nNot up · lost"],
        "services": ["vectors Ready org/vectors", "web Ready"],
        "links": [[f"{bench.url}/services/{run}/", "noopener noreferrer"] for run in ("vectors", "web")],
        "hint": "Other models may need an API key.",
    }


def test_it_shows_how_far_a_start_is_what_failed_and_what_it_costs(bench: Bench, browse: Browse) -> None:
    balancer, serving = bench.upstream(), bench.upstream()
    balancer.usual, serving.usual = reply(503, "", server="awselb/2.0"), reply(200, "{}")
    with scripted_dynamodb() as table:
        registry = DynamoRegistry("registry-1", table.environment)
        bench.serve(upstream=balancer.url, registry="dynamodb:registry-1", source=registry)
        one, two = ["g6.xlarge"], ["g6.xlarge", "g5.xlarge"]
        three = [*two, "g6.2xlarge", "g5.2xlarge"]
        _on_aws(table, "ready", instance_types=one, hourly_price=0.8048, url=serving.url)
        _on_aws(table, "starts", instance_types=two, hourly_price=0.8048, spot=True)
        _on_aws(table, "loads", instance_types=three, hourly_price=0.8048)
        cheap = {"instance_types": ["g4ad.xlarge", "g4dn.xlarge"], "hourly_price": 0.0378, "spot": True}
        _on_aws(table, "asleep", min_replicas=0, **cheap)
        _on_aws(table, "fails", instance_types=one, hourly_price=0.8048)
        _on_aws(table, "old")
        for instance in ("i-1", "i-2"):
            table.put_serving("ready", instance, requests_per_second=0.2, tokens_per_second=617.31)
        table.put_state("starts", "i-1", step={"S": "pulling image"}, percent={"N": "40"})
        table.put_state("loads", "i-1", step={"S": "waiting for port 80"}, cause={"S": "it ended with status 1"})
        table.put_state("fails", "i-1", step={"S": "loading"}, cause={"S": "no GPU on g6.xlarge"}, final={"BOOL": True})
        shown = browse("states")
    rest = {"API key": "not needed"}
    up = "Not up. No replica can be reached. It may be starting, or it has stopped."
    waits = "Asleep. It has no replica now. A request starts one, which takes some minutes."

    def facts(run: str, state: str, **more: str) -> dict[str, str]:
        problem = {"Last problem": more.pop("problem")} if "problem" in more else {}
        address = {"Run": run, "Address": f"{bench.url}/services/{run}"}
        return {"State": state, **problem, **address, **more, **rest}

    def replicas(said: str, **more: str) -> dict[str, str]:
        return {"Replicas": said, **more}

    each = "g6.xlarge, $0.80 an hour for each replica"
    assert shown["wrong"] == []
    assert shown["asked"] == "The model is starting: pulling image, 40 %. Try again when it is ready."
    assert shown["found"] == {
        "asleep": [
            ["Asleep · asleep", "g4ad.xlarge +1 · up to $0.0378 an hour"],
            facts(
                "asleep",
                waits,
                **{
                    "Runs on": "g4ad.xlarge or g4dn.xlarge, up to $0.0378 an hour for each replica",
                    "When idle": "sleeps",
                },
            ),
        ],
        "fails": [
            ["Failing · fails", "no GPU on g6.xlarge"],
            facts("fails", "Failing. Its replicas fail.", problem="no GPU on g6.xlarge", **{"Runs on": each}),
        ],
        "loads": [
            ["Starting · loads", "waiting for port 80"],
            facts(
                "loads",
                "Starting: waiting for port 80",
                problem="it ended with status 1",
                **{"Runs on": "g6.xlarge or g5.xlarge or 2 more, $0.80 an hour for each replica"},
                **replicas("0 of 1 ready"),
            ),
        ],
        "old": [["Not up · old"], facts("old", up)],
        "ready": [
            ["Ready · ready", "g6.xlarge · $0.80 an hour", "1,235 tokens a second"],
            facts(
                "ready",
                "Ready",
                **{"Runs on": each},
                **replicas("1 of 1 ready", **{"Last minute": "24 requests, 1,235 tokens a second"}),
            ),
        ],
        "starts": [
            ["Starting · starts", "pulling image, 40 %"],
            facts(
                "starts",
                "Starting: pulling image, 40 %",
                **{"Runs on": "g6.xlarge or g5.xlarge, up to $0.80 an hour for each replica"},
                **replicas("0 of 1 ready"),
            ),
            [40, "Start of starts"],
        ],
    }


def test_the_cursor_is_in_the_question_when_the_page_opens(browse: Browse) -> None:
    assert browse("cursor") == {"desktop": ["question", ["Hi", "Hello world"]], "phone": "BODY"}


def test_an_answer_can_be_stopped(bench: Bench, browse: Browse) -> None:
    waiting = asyncio.Event()
    bench.tgi.usual = stream(*events("one", " two", finish=None), waiting.wait())
    assert browse("stop") == {
        "sending": False,
        "figures": ["Stopped", "about 2 tokens"],
        "text": "one two",
        "again": True,
    }
    (asked,) = bench.tgi.generated
    assert asked.closed.wait(60), "the replica was left to answer"


def test_a_key_is_used_kept_and_forgotten(bench: Bench, browse: Browse) -> None:
    bench.register(bench.service("closed", model="org/closed", auth=True), keys=(ALL,))
    wrong = "The gateway does not know this API key. Check it, or ask the person who runs the gateway for one."
    assert browse("keys") == {
        "seen": [
            [
                [],
                "The models here need an API key. Enter yours under “API key”.",
                "make local shows the key when it starts.",
            ],
            [[], wrong, "not known here"],
            [["org/closed"], "in this tab", False],
        ],
        "before": [],
        "after": [secret("all")],
        "forgotten": [],
        "inPage": False,
    }


def test_without_a_key_it_says_how_to_get_one(bench: Bench, browse: Browse, tmp_path: Path) -> None:
    bench.serve(certificate=made_certificate(tmp_path, "gateway.example.com"))
    bench.register(bench.service("closed", model="org/closed", auth=True), keys=(ALL,))
    way = "The person who runs the gateway gets a key for you with make key STACK=gateway ARGS=NAME."
    assert browse("wayToKey") == way


def test_what_goes_wrong_is_said_in_plain_words(bench: Bench, browse: Browse) -> None:
    balancer, busy, breaks = bench.upstream(), bench.upstream(), bench.upstream()
    balancer.info = None
    balancer.usual = reply(503, "<html>503</html>", "text/html", server="awselb/2.0")
    busy.usual = failure(429, "Model is overloaded", "overloaded")
    breaks.usual = broken_stream(*events("Hel", "lo", finish=None))
    # An address with a path: the balancer of this test answers 503 to the question `/info` too.
    asleep = bench.service("asleep", model="asleep", url=f"{balancer.url}/none")
    bench.register(
        {**asleep, "min_replicas": 0},
        bench.service("gone", model="gone", url=bench.nobody()),
        bench.service("busy", model="busy", url=busy.url),
        bench.service("breaks", model="breaks", url=breaks.url),
        bench.service("well", model="well"),
    )
    found = browse("problems")
    assert {model: said[:2] for model, said in found.items() if isinstance(said, list) and model != "after"} == {
        "asleep": [
            "Asleep. It has no replica now. A request starts one, which takes some minutes.",
            "The model is asleep or starting. Your request wakes it, which takes some minutes. Then try again.",
        ],
        "gone": [
            "Not up. No replica can be reached. It may be starting, or it has stopped.",
            "The model cannot be reached. It may be starting, or it has stopped. Try again shortly.",
        ],
        "busy": ["Ready", "The model has too much to do. Try again in 1 s."],
        "breaks": ["Ready", "The model failed before its answer was complete. Try again."],
    }
    assert found["busy"][2] == "Model is overloaded (model_overloaded, status 429, req_ID)"
    assert "Hello" in found["breaks"][3], "what came before is still there"
    assert found["network"] == (
        "The browser cannot reach the gateway. Check your network, and that the gateway is running."
    )
    assert (found["after"], found["left"]) == (["Hi", "Hello world"], 0)


def test_text_never_becomes_html(bench: Bench, browse: Browse) -> None:
    name = "<script>alert(1)</script>"
    bench.register(bench.service(model=name))
    bench.tgi.usual = answer("<img src=x onerror=alert(1)>", " **bold** text", "</s>*")
    assert browse("markup") == {
        "turns": ["<b>Hi</b>", "<img src=x onerror=alert(1)> **bold** text"],
        "elements": 0,
        "models": [name],
        "images": 0,
    }


@pytest.mark.parametrize("auth", [False, True])
def test_the_code_does_what_the_page_does(
    bench: Bench, browse: Browse, program: Programs, tmp_path: Path, auth: bool
) -> None:
    require("openai-node")
    require("langchain")
    bench.register(bench.service(auth=auth), keys=(ALL,))
    found = browse("code")
    assert [found.pop(f"{name} selected") for name in list(found) if " " not in name] == list(found)
    assert secret("all") not in str(found)
    (tmp_path / "node_modules").unlink(missing_ok=True)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "node_modules").symlink_to(CACHE / "openai-node" / "node_modules")
    (folder / "it.mjs").write_text(found["JavaScript"])
    commands = {
        "curl": ["bash", "-c", f"{found['curl']} -s"],
        "Python": [sys.executable, "-c", found["Python"]],
        "JavaScript": ["node", str(folder / "it.mjs")],
        "LangChain": [str(CACHE / "langchain" / "bin" / "python"), "-c", found["LangChain"]],
    }
    environment = {**os.environ, "API_KEY": secret("all"), "LANGSMITH_TRACING": "false"}
    said = {}
    for name, command in commands.items():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        said[name] = json.loads(done.stdout)["choices"][0]["message"]["content"] if name == "curl" else done.stdout
    assert said == {"curl": "Hello world", **dict.fromkeys(["Python", "JavaScript", "LangChain"], "Hello world\n")}
    _, *by_code = bench.tgi.generated
    expected = (
        "[system]It's \"brief\" $HOME `x` \\ ü</s>[user]Hi</s>[assistant]Hello world</s>[user]It's me\nagain</s>"
        "[assistant]"
    )
    assert [asked.json["inputs"] for asked in by_code] == [expected] * 4
    assert {(asked.parameters["temperature"], asked.parameters["max_new_tokens"]) for asked in by_code} == {(0.5, 512)}


def test_the_code_can_be_copied(browse: Browse) -> None:
    assert browse("copied") is True


def test_the_keyboard_is_enough(browse: Browse) -> None:
    assert browse("keyboard") == {
        "reached": ["skip", "question"],
        "turns": ["Hi\nthere", "Hello world"],
        "told": "The answer is complete",
    }


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browse: Browse) -> None:
    assert browse("phone") == {"wide": 360, "tall": True, "settings": False}


def test_axe_finds_no_violation(bench: Bench, browse: Browse) -> None:
    bench.register(
        bench.service("well", model="a well model"),
        bench.service("gone", model="gone", url=bench.nobody()),
        bench.service("web", model=None),
        bench.service("closed", auth=True, model="closed"),
        keys=(ALL,),
    )
    light, dark = "rgb(245, 247, 248)", "rgb(16, 23, 28)"
    assert browse("accessible") == {
        "light": {"all": [], "back": light},
        "dark": {"all": [], "back": dark},
        "phone": {"all": [], "back": light},
    }


def test_it_finds_the_gateway_from_each_of_its_addresses(bench: Bench, browse: Browse) -> None:
    root, live = ([f"{bench.url}{stage}/v1", "Hello world"] for stage in ("", "/live"))
    expected = {"/v1": root, "/v1/": root, "//": root, "/live": live, "/live/": live, "/live/v1": live}
    assert browse("addresses") == expected


def test_a_parameter_that_is_not_possible_is_not_left_out(bench: Bench, browse: Browse) -> None:
    question = "What is your favourite condiment?"
    assert browse("wrong") == {"turns": [], "invalid": ["temperature"], "after": [question, "Hello world"]}
    assert [asked.parameters["temperature"] for asked in bench.tgi.generated] == [0.123]


def test_pictures_of_make_local_are_drawn(bench: Bench, browse: Browse) -> None:
    """With SERVESTACK_PICTURES=docs/pictures, those of the pages are drawn again."""
    bench.tgi.usual = _slowly
    bench.register(
        bench.service("yellow-cat-1", model="mistralai/Mistral-7B-Instruct-v0.1"),
        bench.service("llama", model="TheBloke/Llama-2-13B-chat-GPTQ"),
    )
    assert browse("picturesHere", **FOLDER) == {"page": [1280, 800, True], "page-dark": [1280, 800, True]}


def test_pictures_of_a_gateway_on_aws_are_drawn(bench: Bench, browse: Browse, tmp_path: Path) -> None:
    bench.tgi.usual = _slowly
    balancer = bench.upstream()
    balancer.usual = reply(503, "", server="awselb/2.0")
    mistral = bench.service("mistral", model="mistralai/Mistral-7B-Instruct-v0.1")
    with scripted_dynamodb() as table:
        bench.serve(
            upstream=balancer.url,
            registry="dynamodb:registry-1",
            source=DynamoRegistry("registry-1", table.environment),
            certificate=made_certificate(tmp_path, "gateway.example.com"),
            domain="example.com",
        )
        small, large = {"hourly_price": 0.8048}, {"instance_types": ["g6e.xlarge"], "hourly_price": 1.861}
        types = {"instance_types": ["g6.xlarge", "g5.xlarge"], **small}
        _on_aws(table, "yellow-cat-1", **types, model=mistral["model"], url=mistral["url"])
        _on_aws(table, "llama-31", **types, model={"name": "meta-llama/Llama-3.1-8B-Instruct", "format": "openai"})
        _on_aws(table, "qwen", **large, min_replicas=0, model={"name": "Qwen/Qwen3-32B-AWQ", "format": "openai"})
        _on_aws(table, "gemma", **large, model={"name": "google/gemma-3-27b-it", "format": "openai"})
        _on_aws(table, "notebook", model=None)
        table.put_serving("yellow-cat-1", "i-1", requests_per_second=1.4, tokens_per_second=412.5)
        table.put_state("llama-31", "i-1", step={"S": "pulling image"}, percent={"N": "62"})
        gated = {"S": "the Hub gives the weights only to those who accepted the terms of google/gemma-3-27b-it"}
        table.put_state("gemma", "i-1", step={"S": "loading"}, cause=gated, final={"BOOL": True})
        table.put_serving("notebook", "i-1")
        assert browse("picturesOnAws", **FOLDER) == {"page-aws": [1280, 800, True], "page-phone": [720, 1480, True]}


def _on_aws(table: Table, run: str, **fields: Any) -> None:
    model = {"name": run, "format": "openai"}
    table.put_run(run, host=f"{run}.internal", **{"model": model, **fields})


async def _slowly(asked: Asked, write: Write) -> None:
    """Answer as fast as a small GPU."""
    await write(STREAM_HEAD)
    for event in events(*re.findall(r"\s?\w+|\W", SENTENCE), text=SENTENCE):
        await write(b"%x\r\n%s\r\n" % (len(event), event))
        await asyncio.sleep(0.01)
    await write(b"0\r\n\r\n")
