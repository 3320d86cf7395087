"""From a configuration to a streamed answer, and what the commands say of it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import openai
import pytest

from tests.cloud.whole.conftest import TGI, VLLM
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud

GATEWAY = f"https://gateway.{DOMAIN}"
MODELS = {TGI: "TheBloke/Llama-2-13B-chat-GPTQ", VLLM: "Qwen/Qwen2.5-7B-Instruct"}
PIECES = 24
NO_KEY = "the request has no API key; send it in the header 'Authorization: Bearer <key>'"
WRONG_KEY = "Incorrect API key provided"
Services = tuple[str, str]


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
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=cloud.key(), http_client=cloud.http())
    stream = client.chat.completions.create(
        model=MODELS[VLLM], messages=[{"role": "user", "content": "Count."}], max_tokens=PIECES, stream=True
    )
    pieces = [(chunk.choices[0].delta.content, time.monotonic()) for chunk in stream if chunk.choices]
    arrived = [when for text, when in pieces if text]
    assert len(arrived) > PIECES // 2
    together = sum(later - earlier < 0.001 for earlier, later in zip(arrived, arrived[1:], strict=False))
    assert together < len(arrived) // 2, "a model needs time for each piece, so something on the way collects them"


@pytest.mark.parametrize("address", [f"{GATEWAY}/v1/models", f"https://{TGI}.{DOMAIN}/info"])
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
    shown = json.loads(cloud.run("make", "--no-print-directory", "status", "ARGS=--json"))
    print(shown)


def test_logs_show_what_a_replica_wrote(cloud: RunningCloud, services: Services) -> None:
    printed = cloud.run("make", "--no-print-directory", "logs", f"STACK={VLLM}")
    print(printed)


def test_usage_counts_the_requests_of_each_run(cloud: RunningCloud, services: Services) -> None:
    printed = cloud.run("make", "--no-print-directory", "usage", "STACK=gateway", "ARGS=--csv")
    print(printed)


def test_the_key_command_shows_the_key_of_the_outputs(cloud: RunningCloud, services: Services) -> None:
    printed = cloud.run("make", "--no-print-directory", "key", "STACK=gateway", "ARGS=default")
    assert printed.splitlines()[-1] == cloud.key()


@pytest.mark.parametrize("stack", [TGI, VLLM])
def test_smoke_finds_nothing_wrong(cloud: RunningCloud, services: Services, stack: str) -> None:
    printed = cloud.run("make", "--no-print-directory", "smoke", f"STACK={stack}", "ARGS=--stream-seconds 5")
    results = dict(re.findall(r"^\| ([\w:,. 0-9]+?) +\| (\w+)", printed, re.MULTILINE))
    assert results == {}
