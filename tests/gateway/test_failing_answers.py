"""Replicas whose answers come as proper HTTP, and are none: they get no more requests than those that do not answer."""

from __future__ import annotations

import pytest

from gateway_lambda.upstream import health
from tests.gateway.scripted_tgi import Asked, Script, Tgi, Write, error_event, failure, reply, stream
from tests.gateway.serving import Bench, Clock

OF_TGI = {
    "a page": reply(200, "<html>hi</html>", "text/html"),
    "another object": reply(200, '{"foo":1}'),
    "nothing": reply(200, ""),
    "no route": reply(404, "no"),
    "no key": reply(401, "{}"),
    "not implemented": reply(501, "{}"),
    "a status of its own": reply(599, "{}"),
    "a redirection": reply(302, "", location="/elsewhere"),
    "a generation that failed": failure(424, "CUDA error", "generation"),
}
OF_OPENAI = {
    "a page": OF_TGI["a page"],
    "another object": OF_TGI["another object"],
    "no model": reply(404, '{"error":{"message":"no such model"}}'),
    "no key": OF_TGI["no key"],
    "not implemented": OF_TGI["not implemented"],
    "a redirection": OF_TGI["a redirection"],
    "no content": reply(204, ""),
}
STREAMED = {
    "an error": stream(error_event("CUDA error", "generation")),
    "garbage": stream(b"data:nonsense\n\n"),
    "an error after a token": stream(
        b'data:{"token":{"text":"a","special":false}}\n\n', error_event("CUDA error", "generation")
    ),
}
STREAMED_BY_OPENAI = {
    "an error": stream(b'data: {"error": {"message": "dead", "code": 400}}\n\n'),
    "an error before the end": stream(b'data: {"error": {"message": "dead"}}\n\n', b"data: [DONE]\n\n"),
}
CASES = [
    *(("tgi", streamed, name, script) for streamed in (False, True) for name, script in OF_TGI.items()),
    *(("openai", streamed, name, script) for streamed in (False, True) for name, script in OF_OPENAI.items()),
    *(("tgi", True, name, script) for name, script in STREAMED.items()),
    *(("openai", True, name, script) for name, script in STREAMED_BY_OPENAI.items()),
]


@pytest.mark.parametrize(("format", "streamed", "name", "script"), CASES)
def test_a_replica_whose_answers_are_none_is_put_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, format: str, streamed: bool, name: str, script: Script
) -> None:
    monkeypatch.setattr(health, "_FIRST_PAUSE", 300.0)
    bad = _bad_one_beside_a_good_one(bench, format, script)
    for _ in range(16):
        bench.post(stream=streamed)
    assert (len(_posted(bad.asked)), len(_posted(bench.tgi.asked)) >= 13) == (3, True)


@pytest.mark.parametrize("format", ["tgi", "openai"])
@pytest.mark.parametrize("status", [401, 429, 503])
def test_nobody_hears_of_a_replica_that_refuses_everything(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, format: str, status: int
) -> None:
    monkeypatch.setattr(health, "_FIRST_PAUSE", 300.0)
    monkeypatch.setattr(health, "_BUSY_FOR", 300.0)
    bad = _bad_one_beside_a_good_one(bench, format, reply(status, "{}"))
    assert [bench.post().status_code for _ in range(12)] == [200] * 12
    assert len(_posted(bad.asked)) == (3 if status == 401 else 1)


@pytest.mark.parametrize("model", [None, "m"])
def test_one_that_is_busy_is_asked_after_the_others_for_a_moment_and_two_of_four_are_heard_of_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    """A busy replica refuses at once: by its requests in flight it would be the first to be asked."""
    monkeypatch.setattr(health, "_BUSY_FOR", 300.0)
    busy, other, third = bench.upstream(), bench.upstream(), bench.upstream()
    busy.usual = third.usual = reply(503, "")
    bench.tgi.usual = other.usual = reply(200, '{"choices":[]}')
    urls = [busy.url, third.url, bench.tgi.url, other.url]
    bench.register(bench.service(model=model, url=urls, **({"format": "openai"} if model else {})))
    path = "/v1/chat/completions" if model else "/services/run/x"
    statuses = [bench.post(path=path).status_code for _ in range(20)]
    assert statuses.count(503) <= (1 if model else 2)
    assert [len(_posted(each.asked)) for each in (busy, third)] == [1, 1]


@pytest.mark.parametrize("status", [404, 501])
def test_what_a_caller_asks_of_a_runs_own_service_puts_no_replica_aside(bench: Bench, status: int) -> None:
    other = bench.upstream()
    bench.tgi.usual = other.usual = reply(status, "")
    bench.register(bench.service(model=None, url=[bench.tgi.url, other.url]))
    assert [bench.post(path="/services/run/x").status_code for _ in range(12)] == [status] * 12
    assert [len(_posted(each.asked)) for each in (bench.tgi, other)] == [6, 6]


def test_a_client_that_does_not_read_is_no_failure_of_the_replica(
    bench: Bench, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its stream waits for it, for longer than the replica may be silent, and is whole afterwards."""
    event = b'data: {"choices":[{"delta":{"content":"' + b"a" * 60_000 + b'"}}]}\n\n'
    other = bench.upstream()
    bench.tgi.usual = other.usual = stream(*[event] * 300, b"data: [DONE]\n\n")
    bench.register(bench.service(format="openai", url=[bench.tgi.url, other.url]))
    bench.serve(plain_timeout=0.5)
    body = {"model": "m", "messages": [], "stream": True}
    with bench.http.stream("POST", f"{bench.url}/v1/chat/completions", json=body) as response:
        clock.passes(1.5)
        assert response.read().endswith(b"data: [DONE]\n\n")
    assert "failed" not in caplog.text


def _bad_one_beside_a_good_one(bench: Bench, format: str, script: Script) -> Tgi:
    bad = bench.upstream()
    bad.usual = script
    if format == "openai":
        done = stream(b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n")
        whole = reply(200, '{"choices":[]}')

        async def well(asked: Asked, write: Write) -> None:
            await (done if asked.json.get("stream") else whole)(asked, write)

        bench.tgi.usual = well
    bench.register(bench.service(format=format, url=[bad.url, bench.tgi.url]))
    return bad


def _posted(asked: list[Asked]) -> list[Asked]:
    return [each for each in asked if each.method == "POST" and each.path != "/tokenize"]
