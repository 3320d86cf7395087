"""`--upstream`: a TGI that runs already answers, and what reaches it can be seen."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.support.local_service import LLAMA_2, LLAMA_2_MODEL, MISTRAL, MISTRAL_MODEL, LocalService, serving
from tests.support.ports import held_port
from tests.support.processes import python, running
from tests.support.recording_tgi import ANSWER, MODEL_ID, RecordingTgi, recording_tgi

pytestmark = pytest.mark.xdist_group("upstream")

SYSTEM = {"role": "system", "content": "You are a poet."}
USER = {"role": "user", "content": "Compose a poem that explains the concept of recursion in programming."}


@pytest.fixture(scope="module")
def tgi() -> Iterator[RecordingTgi]:
    with recording_tgi() as tgi:
        yield tgi


@pytest.fixture(scope="module")
def service(tgi: RecordingTgi) -> Iterator[LocalService]:
    with serving(LLAMA_2, "--upstream", tgi.url, "--name", "llama-cat-1") as service:
        yield service


@pytest.fixture
def client(service: LocalService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        yield client


def test_the_second_configuration_renders_llama_2s_prompt(client: openai.OpenAI, tgi: RecordingTgi) -> None:
    completion = client.chat.completions.create(model=LLAMA_2_MODEL, messages=[USER])  # pyright: ignore
    assert completion.choices[0].message.content == ANSWER
    assert tgi.inputs == f"<s>[INST] {USER['content']} [/INST]"


def test_a_whole_conversation_renders_as_llama_2_was_trained(client: openai.OpenAI, tgi: RecordingTgi) -> None:
    messages = [SYSTEM, USER, {"role": "assistant", "content": " Recursion. "}, {"role": "user", "content": "More?"}]
    client.chat.completions.create(model=LLAMA_2_MODEL, messages=messages)  # pyright: ignore
    assert tgi.inputs == (
        f"<s>[INST] <<SYS>>\nYou are a poet.\n<</SYS>>\n\n{USER['content']} [/INST]"
        " Recursion. </s><s>[INST] More? [/INST]"
    )


def test_its_eos_token_is_sent_as_a_stop(client: openai.OpenAI, tgi: RecordingTgi) -> None:
    client.chat.completions.create(model=LLAMA_2_MODEL, messages=[USER])  # pyright: ignore
    assert tgi.asked[-1]["parameters"]["stop"] == ["</s>"]


def test_roles_that_do_not_alternate_are_refused_with_the_templates_own_words(
    client: openai.OpenAI, tgi: RecordingTgi
) -> None:
    asked = len(tgi.asked)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=LLAMA_2_MODEL, messages=[USER, USER])  # pyright: ignore
    assert refused.value.status_code == 400
    assert "Conversation roles must alternate user/assistant/user/assistant/..." in refused.value.message
    assert len(tgi.asked) == asked, "nothing is generated for a conversation that the template refuses"


def test_a_stream_is_a_stream_upstream_too(client: openai.OpenAI, tgi: RecordingTgi) -> None:
    chunks = list(client.chat.completions.create(model=LLAMA_2_MODEL, messages=[USER], stream=True))  # pyright: ignore
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER  # pyright: ignore
    assert tgi.inputs == f"<s>[INST] {USER['content']} [/INST]"


def test_the_runs_own_address_is_the_upstreams(service: LocalService, tgi: RecordingTgi) -> None:
    body = {"inputs": "<s>[INST] What is your favourite condiment?[/INST]"}
    answer = httpx.post(f"{service.url}/services/{service.run}/generate", json=body)
    assert (answer.status_code, answer.json()["generated_text"]) == (200, ANSWER)
    assert tgi.asked[-1] == body


def test_the_banner_says_what_the_upstream_serves(service: LocalService, tgi: RecordingTgi) -> None:
    assert f"here     {tgi.url} serves {MODEL_ID} by TGI 3.3.6, which answers for {LLAMA_2_MODEL}\n" in service.banner
    assert "SmolLM2" not in service.banner


def test_an_upstream_that_is_not_there_is_an_error_with_a_remedy() -> None:
    with held_port() as port:
        url = f"http://127.0.0.1:{port}"
        with running(python("-m", "local", LLAMA_2, "--port", "0", "--upstream", url)) as process:
            assert process.wait() == 1
    assert process.output == (
        f"Reading {LLAMA_2} …\n--upstream {url}: nothing answers there ([Errno 111] Connection refused). "
        "Start it, or correct the address.\n"
    )


def test_what_is_fetched_from_the_hub_is_said_before_it_comes(tgi: RecordingTgi) -> None:
    command = python("-m", "local", MISTRAL, "--port", "0", "--upstream", tgi.url)
    with (
        held_port() as port,
        running(command, env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"}) as process,
    ):
        assert process.wait() == 1
        first, said, report = process.output.split("\n", 2)
        assert first == f"Reading {MISTRAL} …"
        assert said == f"Fetching the chat template of {MISTRAL_MODEL} from the Hub …"
        assert report.startswith(f"{MISTRAL}: 1 problem\n\nline 11, model.chat_template\n  found:  nothing\n")


def test_a_server_that_is_no_tgi_is_refused_for_a_model_that_wants_one() -> None:
    with (
        recording_tgi(info={}) as other,
        running(python("-m", "local", LLAMA_2, "--port", "0", "--upstream", other.url)) as process,
    ):
        assert process.wait() == 1
        assert f"--upstream {other.url}: found a server that is not a TGI (GET /info answers 404" in process.output


def test_a_plain_web_service_may_be_anything(tmp_path: Path) -> None:
    configuration = tmp_path / "web.dstack.yml"
    configuration.write_text("type: service\nimage: nginx\nport: 80\nname: web-1\n")
    with recording_tgi(info={}) as other, serving(str(configuration), "--upstream", other.url) as service:
        assert httpx.get(f"{service.url}/services/web-1/health").status_code == 200
        assert f"curl -i {service.url}/services/web-1/" in service.banner
        assert "the OpenAI API serves no model" in service.banner


def test_with_auth_a_key_is_wanted_and_the_shown_one_opens_up_to_its_limit(tgi: RecordingTgi) -> None:
    limit = ("--requests-per-minute", "2", "--expires", "2999-12-31")
    with serving(LLAMA_2, "--upstream", tgi.url, "--auth", "--name", "locked-1", *limit) as service:
        (key,) = set(re.findall(r"sk-[\w-]{43}", service.banner))
        body = {"model": LLAMA_2_MODEL, "messages": [USER]}
        run = f"{service.url}/services/locked-1/generate"
        held = {"Authorization": f"Bearer {key}"}
        assert [
            httpx.post(f"{service.url}/v1/chat/completions", json=body).status_code,
            httpx.post(f"{service.url}/v1/chat/completions", json=body, headers=held).status_code,
            httpx.post(run, json={"inputs": "x"}).status_code,
            httpx.post(run, json={"inputs": "x"}, headers={"Authorization": "Bearer sk-other"}).status_code,
            httpx.post(run, json={"inputs": "x"}, headers=held).status_code,
            httpx.post(run, json={"inputs": "x"}, headers=held).status_code,
        ] == [401, 200, 401, 401, 200, 429]
        assert key not in json.dumps(_environments(service)), "a key is in no process's environment"


def test_the_registry_file_holds_a_digest_and_is_for_its_user_alone(tgi: RecordingTgi, tmp_path: Path) -> None:
    limits = ("--tokens-per-day", "500", "--max-concurrent", "1", "--expires", "2027-01-31")
    with serving(LLAMA_2, "--upstream", tgi.url, "--auth", *limits, env={"TMPDIR": str(tmp_path)}) as service:
        (key,) = set(re.findall(r"sk-[\w-]{43}", service.banner))
        (registry,) = tmp_path.glob("servestack-*/registry.json")
        assert registry.stat().st_mode & 0o777 == 0o600
        assert json.loads(registry.read_text())["keys"] == [
            {
                "name": "local",
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                "runs": ["*"],
                "expires": 1_801_440_000,
                "tokens_per_day": 500,
                "max_concurrent": 1,
            }
        ]
    assert list(tmp_path.iterdir()) == [], "the private folder is removed at the end"


def _environments(service: LocalService) -> list[str]:
    """Environments and command lines of the service's processes, where there is a /proc to read them from."""
    read: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PPid:\t{service.process.pid}\n" in (process / "status").read_text() or process.name == str(
                service.process.pid
            ):
                read += [(process / name).read_bytes().decode(errors="replace") for name in ("environ", "cmdline")]
        except OSError:
            continue
    return read
