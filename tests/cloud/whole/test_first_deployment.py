"""From a configuration to a streamed answer, and what the commands say of it."""

from __future__ import annotations

import csv
import itertools
import json
import re
import time
from typing import Any

import openai
import pytest

from tests.cloud.whole.conftest import TGI, VLLM
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud
from tests.support.processes import wait_until

GATEWAY = f"https://gateway.{DOMAIN}"
MODELS = {TGI: "TheBloke/Llama-2-13B-chat-GPTQ", VLLM: "Qwen/Qwen2.5-7B-Instruct"}
PIECES = 24
NO_KEY = "the request has no API key; send it in the header 'Authorization: Bearer <key>'"
WRONG_KEY = "the API key is not known here; check it, or ask the person who runs the gateway for a key"
Services = tuple[str, ...]


def refused(message: str) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}


@pytest.mark.parametrize("stack", [TGI, VLLM])
def test_the_curl_command_that_a_stack_prints_is_answered(cloud: RunningCloud, services: Services, stack: str) -> None:
    answered = cloud.run("bash", "-c", f'eval "$(pulumi stack output curl --stack {stack}) --silent"')
    answer = json.loads(answered)
    assert (answer["object"], answer["model"]) == ("chat.completion", MODELS[stack])
    assert [choice["finish_reason"] in ("stop", "length") for choice in answer["choices"]] == [True]


@pytest.mark.parametrize("address", [GATEWAY, f"https://{VLLM}.{DOMAIN}"])
def test_the_sdk_gets_the_pieces_of_an_answer_one_by_one(cloud: RunningCloud, services: Services, address: str) -> None:
    message: Any = {"role": "user", "content": "What is Deep Learning?"}
    with sdk(cloud, address) as client:
        stream = client.chat.completions.create(
            model=MODELS[VLLM],
            messages=[message],
            max_tokens=PIECES,
            temperature=0,
            stream=True,
        )
        pieces = [(chunk.choices[0].delta.content, time.monotonic()) for chunk in stream if chunk.choices]
    arrived = [when for text, when in pieces if text]
    assert len(arrived) > PIECES // 2
    together = sum(later - earlier < 0.001 for earlier, later in itertools.pairwise(arrived))
    assert together < len(arrived) // 2, "a model needs time for each piece, so something on the way collects them"


@pytest.mark.parametrize("address", [f"{GATEWAY}/v1/models/{MODELS[VLLM]}", f"https://{TGI}.{DOMAIN}/info"])
def test_without_a_key_the_answer_is_401(cloud: RunningCloud, services: Services, address: str) -> None:
    with cloud.http() as http:
        without = http.get(address)
        wrong = http.get(address, headers={"Authorization": "Bearer ss-wrong"})
        right = http.get(address, headers={"Authorization": f"Bearer {cloud.key()}"})
    assert (without.status_code, without.json()) == (401, refused(NO_KEY))
    assert (wrong.status_code, wrong.json()) == (401, refused(WRONG_KEY))
    assert right.status_code == 200


def test_one_gateway_lists_the_models_of_both_services(cloud: RunningCloud, services: Services) -> None:
    with cloud.http() as http:
        listed = http.get(f"{GATEWAY}/v1/models", headers={"Authorization": f"Bearer {cloud.key()}"}).json()
    names = [model["id"] for model in listed["data"]]
    assert set(MODELS.values()) <= set(names)


def test_status_shows_what_runs(cloud: RunningCloud, services: Services) -> None:
    shown = json.loads(make(cloud, "status", "ARGS=--json").splitlines()[-1])
    runs = {
        one["run"]: (
            one["state"],
            one["healthy"],
            one["desired"],
            [(replica["type"], replica["health"], replica["step"]) for replica in one["replicas"]],
        )
        for one in shown["services"]
        if one["stack"] in (TGI, VLLM)
    }
    assert runs == dict.fromkeys((TGI, VLLM), ("serving", 1, 1, [("g6.xlarge", "healthy", "serving")]))
    [gateway] = [one for one in shown["gateways"] if one["stack"] == "gateway"]
    assert {TGI, VLLM} <= set(gateway["runs"])
    assert (gateway["url"], gateway["certificate"]["status"], shown["unknown"]) == (GATEWAY, "ISSUED", [])


def test_logs_show_what_a_replica_wrote(cloud: RunningCloud, services: Services) -> None:
    written = re.findall(r"^[-0-9]+ [:0-9]+ i-\w+/(\w+) (.*)$", make(cloud, "logs", f"STACK={VLLM}"), re.MULTILINE)
    boot = [line for stream, line in written if stream == "boot" and not line.startswith("pulling image")]
    assert boot == ["machine ready", "GPUs found: 1", "starting container", "waiting for port 8000", "serving"]
    container = [line for stream, line in written if stream == "container"]
    assert container[0] == "SmolLM2-135M stands in for Qwen/Qwen2.5-7B-Instruct, on http://0.0.0.0:8000"


def test_usage_counts_the_requests_and_tokens_of_each_run(cloud: RunningCloud, services: Services) -> None:
    def counted() -> dict[str, tuple[int, int]]:
        """The requests and tokens of each run."""
        lines = make(cloud, "usage", "STACK=gateway", "ARGS=--csv").splitlines()
        header = next(number for number, line in enumerate(lines) if line.startswith("run,"))
        rows = list(csv.DictReader(lines[header:]))
        return {row["run"]: (int(row["requests"]), int(row["completion_tokens"] or 0)) for row in rows}

    before = counted()
    message: Any = {"role": "user", "content": "Count to three."}
    tokens: dict[str, int] = {}
    with sdk(cloud, GATEWAY) as client:
        for run, model in MODELS.items():
            answer = client.chat.completions.create(model=model, messages=[message], max_tokens=5)
            tokens[run] = answer.usage.completion_tokens if answer.usage else -1
    wanted = {run: (before[run][0] + 1, before[run][1] + tokens[run]) for run in MODELS}

    def is_counted() -> bool:
        return {run: counts for run, counts in counted().items() if run in MODELS} == wanted

    wait_until(is_counted, within=60, what=f"usage of {wanted}")


def test_the_key_command_shows_the_key_of_the_outputs(cloud: RunningCloud, services: Services) -> None:
    assert make(cloud, "key", "STACK=gateway", "ARGS=default").splitlines()[-1] == cloud.key()


CHECKS = (
    *("health", "curl", "model list", "SDK, plain", "SDK, streaming", "time between chunks", "wrong key: 401"),
    *("4 MB request", "404", "HEAD", "204", "stream of 5 s"),
)


@pytest.mark.parametrize("stack", [TGI, VLLM])
def test_smoke_finds_nothing_wrong(cloud: RunningCloud, services: Services, stack: str) -> None:
    printed = make(cloud, "smoke", f"STACK={stack}", "ARGS=--stream-seconds 5")
    rows = re.findall(r"^\| ([^|]+?) +\| (\w+) +\|", printed, re.MULTILINE)
    assert dict(rows[1:]) == dict.fromkeys(CHECKS, "ok")


def make(cloud: RunningCloud, *words: str) -> str:
    return cloud.run("make", "--no-print-directory", *words)


def sdk(cloud: RunningCloud, address: str) -> openai.OpenAI:
    http: Any = cloud.http()
    return openai.OpenAI(base_url=f"{address}/v1", api_key=cloud.key(), http_client=http)
