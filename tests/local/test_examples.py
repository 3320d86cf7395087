"""Every service in `examples` serves on this machine, all of them at once behind one gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.configuration import ServiceConfiguration, load
from tests.local.conftest import GROUP
from tests.support.examples import SERVICES, name_of
from tests.support.local_service import LocalService, serving

pytestmark = pytest.mark.xdist_group(GROUP)
# Without a seed, the small model answers now and then with nothing but tokens that are not shown.
CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0.7, "seed": 7}


@pytest.fixture(scope="module")
def everything() -> Iterator[LocalService]:
    """`make local` with all of them. Several have the same model name, and share its requests."""
    with serving(*map(str, SERVICES), "--weight", "1", "--env", "HF_TOKEN=hf_example") as service:
        yield service


@pytest.fixture
def post(everything: LocalService) -> Iterator[Any]:
    with httpx.Client(base_url=everything.url) as client:

        def posted(path: str, body: Mapping[str, Any]) -> Any:
            response = client.post(path, json=body)
            assert response.status_code == 200, response.text
            return response.json()

        yield posted


@pytest.mark.parametrize("file", SERVICES, ids=name_of)
def test_every_service_answers_at_its_own_address_and_through_the_gateway(
    everything: LocalService, post: Any, file: Path
) -> None:
    configuration = load(file)
    assert isinstance(configuration, ServiceConfiguration)
    run = everything.runs[SERVICES.index(file)]
    model = configuration.model
    if model is None:
        assert httpx.get(f"{everything.url}/services/{run}/info").status_code == 200
        return
    for base in ("/v1", f"/services/{run}/v1"):
        if name_of(file) == "tei":
            (found,) = post(f"{base}/embeddings", {"model": model.name, "input": "Hello"})["data"]
            assert len(found["embedding"]) == 384
        else:
            found = post(f"{base}/chat/completions", {"model": model.name, **CHAT})
            assert found["choices"][0]["message"]["content"].strip() != ""
            assert found["usage"]["completion_tokens"] == 4


def test_the_list_of_models_shows_which_of_them_share_a_name(everything: LocalService) -> None:
    models = httpx.get(f"{everything.url}/v1/models", timeout=30).json()["data"]
    named: dict[str, list[str]] = {}
    for file, run in zip(SERVICES, everything.runs, strict=True):
        configuration = load(file)
        assert isinstance(configuration, ServiceConfiguration)
        if configuration.model is not None:
            named.setdefault(configuration.model.name, []).append(run)
    shared = {name: sorted(runs) for name, runs in named.items() if len(runs) > 1}
    assert {"qwen-new", "qwen-stable"} <= {run for runs in shared.values() for run in runs}
    assert {model["id"]: sorted(run["run"] for run in model["runs"]) for model in models if "runs" in model} == shared
    said = [(run["weight"], run["state"]) for model in models for run in model.get("runs", [])]
    assert set(said) == {(1, "ready")}
