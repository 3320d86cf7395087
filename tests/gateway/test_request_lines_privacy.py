"""No line of a request, and no number for Prometheus, has a word of what the caller or the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.keys import ALL, secret
from tests.gateway.request_lines import Lines
from tests.gateway.scripted_tgi import Tgi, answer, failure, reply, stream
from tests.gateway.serving import Bench

MARK = "ZQX"
"""Nothing of the gateway's own has it."""
marked = st.text(alphabet='abZQX é"\\/…{}<>%?&=\n', min_size=1, max_size=20).map(lambda text: f"{MARK}{text}{MARK}")
BODIES = {
    "/v1/chat/completions": lambda said: {"messages": [{"role": "user", "content": said}], "user": said},
    "/v1/completions": lambda said: {"prompt": said, "stop": [said], "user": said},
    "/v1/responses": lambda said: {"input": said, "instructions": said, "metadata": {"a": said}},
    "/v1/messages": lambda said: {"messages": [{"role": "user", "content": said}], "max_tokens": 9, "system": said},
    "/v1/embeddings": lambda said: {"input": said},
    "/v1/ZQX": lambda said: {"input": said},
}


class Served(NamedTuple):
    lines: Lines
    openai: Tgi
    """Behind the model `o`, of format openai."""
    own: Tgi
    """Behind a run without a model."""


@pytest.fixture
def served(bench: Bench, tmp_path: Path) -> Served:
    openai, own = bench.upstream(), bench.upstream()
    bench.register(
        bench.service(auth=True),
        bench.service("openai", model="o", format="openai", auth=True, url=openai.url),
        bench.service("own", model=None, auth=False, url=own.url),
        keys=(ALL,),
    )
    return Served(Lines(bench, tmp_path / "lines"), openai, own)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    said=marked,
    path=st.sampled_from(sorted(BODIES)),
    model=st.sampled_from(["m", "o", MARK]),
    streamed=st.booleans(),
    fails=st.booleans(),
    key=st.sampled_from([secret("all"), MARK]),
    wrong=st.sampled_from([{}, {"temperature": MARK}, {MARK: MARK}]),
)
def test_no_line_has_a_word_of_prompt_answer_key_query_or_header(
    bench: Bench,
    served: Served,
    said: str,
    path: str,
    model: str,
    streamed: bool,
    fails: bool,
    key: str,
    wrong: dict[str, Any],
) -> None:
    bench.tgi.usual = failure(422, said, "validation") if fails else answer(said, said)
    error = {"error": {"message": said, "type": said, "code": said, "param": said}}
    chunk = b"data: " + json.dumps({"choices": [{"delta": {"content": said}}], "usage": None}).encode() + b"\n\n"
    whole = {"choices": [{"message": {"content": said}}], "usage": {"prompt_tokens": 1, said: said}}
    served.openai.usual = reply(400, json.dumps(error)) if fails else reply(200, json.dumps(whole))
    if streamed and not fails:
        served.openai.usual = stream(chunk, b"data: [DONE]\n\n")
    served.own.usual = reply(500 if fails else 200, said.encode(), "text/plain")
    headers = {"authorization": f"Bearer {key}", "x-own": MARK, "user-agent": MARK, "x-request-id": MARK}
    body = {"model": model, "stream": streamed, **BODIES[path](said), **wrong}
    query = f"?q={quote(said, safe='')}"
    bench.http.post(f"{bench.url}{path}{query}", json=body, headers=headers)
    bench.http.get(f"{bench.url}/v1/models/{quote(said, safe='')}{query}", headers=headers)
    bench.http.get(f"{bench.url}/services/own/{quote(said, safe='')}{query}", headers=headers)
    bench.http.get(f"{bench.url}/services/{MARK}/x{query}", headers=headers)
    served.lines.new(4)
    assert MARK not in served.lines.path.read_text()
    numbers = bench.http.get(f"{bench.url}/metrics", headers={"authorization": f"Bearer {secret('all')}"})
    assert numbers.status_code == 200
    served.lines.new()
    assert MARK not in numbers.text


def test_the_names_that_lines_have_are_those_of_the_registry(bench: Bench, served: Served) -> None:
    """Keys, runs and models have names, and these are in the lines. The mark is one then, or this test sees nothing."""
    bench.register(bench.service(MARK.lower(), model=MARK, auth=True), keys=({**ALL, "name": MARK},))
    response = httpx.post(
        f"{bench.url}/v1/chat/completions",
        json={"model": MARK, "messages": [{"role": "user", "content": "Hi"}]},
        headers={"authorization": f"Bearer {secret('all')}"},
    )
    assert response.status_code == 200
    (line,) = served.lines.new()
    assert (line["key"], line["Run"], line["model"]) == (MARK, MARK.lower(), MARK)
