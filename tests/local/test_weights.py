"""Which weights stand in: chosen, fetched, remembered, given up."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.planning.repository import HubError
from local.hub_weights import choose_files, fetch_weights
from local.model_server.standin import StandInMissing, weights_path
from local.weights import choose_weights
from tests.local.conftest import GROUP
from tests.planning.hub_server import SHA, TOKEN, Hub, Repository, serve_hub
from tests.support.local_service import serving
from tests.support.processes import python, running

FILE = "SmolLM2-135M-Instruct-Q4_1.gguf"
REPOSITORY = "org/SmolLM2-135M-Instruct-GGUF"
GO_BACK = 'go back with ARGS="--stand-in default"'


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A Hub with the small model under another name."""
    with serve_hub() as hub:
        hub.repositories[REPOSITORY] = Repository({FILE: weights_path().read_bytes(), "README.md": b"a"})
        yield hub


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the choice is remembered."""
    monkeypatch.setenv("SERVESTACK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "stand-in.json"


@pytest.mark.xdist_group(GROUP)
def test_a_model_of_the_hub_stands_in_is_remembered_and_is_given_up(hub: Hub, tmp_path: Path, cache: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "HF_TOKEN": TOKEN}
    hub.repositories[REPOSITORY].gated = True
    note = (
        f"SmolLM2-135M-Instruct-Q4_1 stands in because of --stand-in {REPOSITORY}:q4_1. {cache} remembers it for the "
        'next start. To go back to the small model: ARGS="--stand-in default"\n'
    )
    with serving("vllm", "--stand-in", f"{REPOSITORY}:q4_1", env=environment) as service:
        assert f"Fetching {FILE} of {REPOSITORY} from the Hub …\n" in service.banner
        assert note in service.banner
        assert "SmolLM2-135M-Instruct-Q4_1, on this machine's CPU, stands in for Qwen/Qwen2.5-7B" in service.banner
        body = {"model": "Qwen/Qwen2.5-7B-Instruct", "prompt": "Once", "max_tokens": 4}
        answer = httpx.post(f"{service.url}/v1/completions", json=body, timeout=60).json()
        assert (answer["model"], answer["usage"]["completion_tokens"]) == ("Qwen/Qwen2.5-7B-Instruct", 4)
    asked = len(hub.requests)

    with serving("tgi", env=environment) as service:
        assert note in service.banner
        body = {"inputs": "1 2 3 4 5", "parameters": {"max_new_tokens": 4}}
        answer = httpx.post(f"{service.url}/services/{service.run}/generate", json=body, timeout=60).json()
        assert answer == {"generated_text": " 6 7"}
    assert len(hub.requests) == asked

    with serving("tgi", "--stand-in", "default", env=environment) as service:
        assert "remembers" not in service.banner
        assert "  here     SmolLM2-135M-Instruct, a small real model on this machine's CPU, " in service.banner
    assert not cache.exists()


def test_a_download_that_broke_off_is_continued_where_it_was(hub: Hub, tmp_path: Path) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path)}
    hub.cut_after = 30 * 1024 * 1024
    path = fetch_weights(REPOSITORY, None, environment, print)

    assert path.read_bytes() == weights_path().read_bytes()
    fetched = [request for request in hub.requests if request.startswith(f"GET /{REPOSITORY}/resolve/{SHA}/")]
    assert fetched[0] == f"GET /{REPOSITORY}/resolve/{SHA}/{FILE}"
    assert [request.partition(" bytes=")[2] for request in fetched] == ["", str(30 * 1024 * 1024) + "-"]


def test_ctrl_c_ends_a_download(hub: Hub, tmp_path: Path, cache: Path) -> None:
    hub.failures = [0]
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "SERVESTACK_CACHE": str(cache.parent)}
    line = python("-m", "local", "vllm", "--stand-in", REPOSITORY, "--port", "0")
    with running(line, env=environment) as process:
        process.wait_for("Reading")
        assert hub.asked.wait(60)
        process.signal(signal.SIGINT)
        assert process.wait(within=60) == 130
        assert "Traceback" not in process.output
    assert not cache.exists()


@pytest.mark.parametrize(
    ("token", "rule"),
    [
        ("", "org/gated is gated (401), and the service has no Hub token: accept its conditions at {url}/org/gated"),
        ("hf_known", "org/gated is gated (403), and the account of the service's Hub token has no access to it"),
    ],
)
def test_a_gated_model_says_what_to_do(hub: Hub, tmp_path: Path, token: str, rule: str) -> None:
    hub.repositories["org/gated"] = Repository({"a-Q8_0.gguf": b"a"}, gated=True)
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path), "HF_TOKEN": token}
    with pytest.raises(HubError) as found:
        fetch_weights("org/gated", None, environment, print)
    assert str(found.value).startswith(rule.format(url=hub.url))


@pytest.mark.parametrize(
    ("names", "quantization", "files"),
    [
        (["a-Q8_0.gguf", "a-Q4_K_M.gguf", "a-Q2_K.gguf"], None, ["a-Q4_K_M.gguf"]),
        (["a-Q8_0.gguf", "a-Q4_K_M.gguf"], "q8_0", ["a-Q8_0.gguf"]),
        (["a.f16.gguf", "a.Q8_0.gguf"], None, ["a.Q8_0.gguf"]),
        (["model.gguf", "mmproj-F16.gguf"], None, ["model.gguf"]),
        (["a-Q3_K_L.gguf", "a-IQ2_XXS.gguf"], None, ["a-IQ2_XXS.gguf"]),
        (["a-UD-Q4_K_XL.gguf", "a-Q4_K_M.gguf"], "UD-Q4_K_XL", ["a-UD-Q4_K_XL.gguf"]),
        (
            ["Q4_K_M/a-Q4_K_M-00002-of-00002.gguf", "Q4_K_M/a-Q4_K_M-00001-of-00002.gguf"],
            None,
            ["Q4_K_M/a-Q4_K_M-00001-of-00002.gguf", "Q4_K_M/a-Q4_K_M-00002-of-00002.gguf"],
        ),
    ],
)
def test_the_file_of_a_quantization_is_found(names: list[str], quantization: str | None, files: list[str]) -> None:
    assert choose_files("org/a", quantization, names) == files


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a-Q8_0.gguf", "a-Q2_K.gguf"],
            "org/a has no GGUF file of Q4_K_M: choose one that it has: Q2_K, Q8_0",
        ),
        (
            ["model.safetensors"],
            "org/a has no GGUF files: choose a repository that has them: most have GGUF in their name",
        ),
    ],
)
def test_a_quantization_that_is_not_there_names_those_that_are(names: list[str], message: str) -> None:
    with pytest.raises(HubError) as found:
        choose_files("org/a", "Q4_K_M", names)
    assert str(found.value) == message


def test_a_file_stands_in_and_is_remembered_by_its_whole_path(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(weights_path(), tmp_path / "mine.gguf")
    monkeypatch.chdir(tmp_path)
    chosen = choose_weights("mine.gguf", {}, print)
    chosen.remember()
    monkeypatch.chdir("/")
    again = choose_weights(None, {}, print)

    assert (chosen.path, chosen.name, again.path) == (tmp_path / "mine.gguf", "mine", tmp_path / "mine.gguf")
    assert json.loads(cache.read_text()) == {"stand-in": "mine.gguf", "path": str(tmp_path / "mine.gguf")}
    (tmp_path / "mine.gguf").unlink()
    with pytest.raises(StandInMissing, match=GO_BACK):
        choose_weights(None, {}, print)
    assert choose_weights("default", {}, print).path is None
    assert not cache.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GGUF", "the header ends too early"),
        (b"PK\3\4 and more", "starts with b'PK"),
        (b"", "cannot be read"),
    ],
)
def test_a_file_that_is_no_model_is_refused_and_not_remembered(
    tmp_path: Path, cache: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(StandInMissing) as found:
        choose_weights(str(tmp_path / "a.gguf"), {}, print)
    assert message in str(found.value)
    assert GO_BACK in str(found.value)
    assert not cache.exists()


@pytest.mark.xdist_group(GROUP)
def test_a_model_that_llama_cpp_cannot_load_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(weights_path().read_bytes()[:50_000_000])
    line = python("-m", "local", "vllm", "--stand-in", str(tmp_path / "a.gguf"), "--port", "0")
    with running(line) as process:
        assert process.wait(within=60) == 1
    assert f"[model] llama.cpp cannot load {tmp_path}/a.gguf: " in process.output
    assert GO_BACK in process.output
    assert not cache.exists()


def test_a_file_that_is_not_there_is_not_looked_for_on_the_hub(cache: Path) -> None:
    with pytest.raises(StandInMissing, match=r"--stand-in models/a\.gguf: there is no such file"):
        choose_weights("models/a.gguf", {}, print)


def test_a_wrong_configuration_is_said_before_a_download(hub: Hub, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.dstack.yml").write_text("type: service\nimag: a\n")
    environment = {"HF_ENDPOINT": hub.url, "SERVESTACK_CACHE": str(cache.parent)}
    line = python("-m", "local", str(tmp_path / "a.dstack.yml"), "--stand-in", REPOSITORY)
    with running(line, env=environment) as process:
        assert process.wait(within=30) == 1
    assert "imag" in process.output
    assert hub.requests == []
