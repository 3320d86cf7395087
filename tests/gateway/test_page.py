"""The page at the root: who gets it, what a browser may do with it, and the list of runs that it shows."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from gateway_lambda.app import make_app
from gateway_lambda.page.document import document, prefers_page
from gateway_lambda.registry.file import FileRegistry
from gateway_lambda.routing.recent_use import RecentUse
from gateway_lambda.server.adapter import behind_adapter
from gateway_lambda.server.recorded import Usage
from gateway_lambda.server.request_body import Message
from gateway_lambda.settings import Settings
from tests.gateway.keys import ALL, secret
from tests.gateway.scripted_tgi import Tgi, reply
from tests.gateway.serving import HI, Bench

pytestmark = pytest.mark.usefixtures("clock")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
"""What Chromium and Firefox send."""
FOLDER = Path(__file__).parents[2] / "gateway_lambda" / "page"


def test_a_browser_gets_a_page_and_everybody_else_the_error(bench: Bench) -> None:
    asked = {
        ("GET", BROWSER): (200, "text/html; charset=utf-8"),
        ("HEAD", BROWSER): (200, "text/html; charset=utf-8"),
        ("GET", "*/*"): (404, "application/json"),
        ("GET", "application/json"): (404, "application/json"),
        ("GET", "application/json, text/html;q=0.5"): (404, "application/json"),
        ("GET", "text/html;q=0"): (404, "application/json"),
        ("PUT", BROWSER): (404, "application/json"),
        ("POST", BROWSER): (404, "application/json"),
    }
    got = {
        (method, accept): bench.http.request(method, f"{bench.url}/", headers={"accept": accept})
        for method, accept in asked
    }
    assert {of: (one.status_code, one.headers["content-type"]) for of, one in got.items()} == asked
    assert got["HEAD", BROWSER].content == b""
    assert bench.http.get(f"{bench.url}/v1/", headers={"accept": BROWSER}).status_code == 200
    assert bench.http.get(f"{bench.url}/v1/models", headers={"accept": BROWSER}).json()["object"] == "list"


def test_accept_headers_are_compared_by_their_weights() -> None:
    asked = {
        b"text/html": True,
        b"TEXT/HTML; Q=0.5": True,
        b"text/html;q=0.8, application/json;q=0.8": True,
        b"text/html;q=0.7, application/json;q=0.8": False,
        b"text/html;q=x": False,
        b"text/html;q=nan": False,
        b"text/htmlx": False,
        b"\xff,;,text/html": True,
    }
    assert {accept: prefers_page(accept) for accept in asked} == asked


def test_it_is_one_small_document_of_all_files_in_the_folder() -> None:
    text = document().body.decode()
    assert len(document().body) < 60_000
    for path in FOLDER.iterdir():
        if path.suffix in (".css", ".js"):
            assert path.read_text() in text, path.name
    assert (text.count("<style"), text.count("</style"), text.count("<script"), text.count("</script")) == (1, 1, 1, 1)


def test_it_can_run_nothing_else_and_reach_nothing_else(bench: Bench) -> None:
    answer = bench.http.get(bench.url, headers={"accept": BROWSER})
    text = answer.text
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": _hash(text, "script"),
        "style-src": _hash(text, "style"),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert re.findall(r"<(?:img|iframe|object|embed)\b|\burl\(|@import|\sstyle=|\son[a-z]+=|https?:", text) == ["http:"]
    assert "xmlns='http://www.w3.org/2000/svg'" in text, "the one address is the name of SVG"
    assert re.findall("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval|Function", text) == []
    assert {name: answer.headers[name] for name in ("x-content-type-options", "referrer-policy")} == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def test_a_browser_keeps_it_and_asks_whether_it_has_changed(bench: Bench) -> None:
    first = bench.http.get(bench.url, headers={"accept": BROWSER})
    tag = first.headers["etag"]
    assert (first.headers["cache-control"], first.headers["vary"]) == ("no-cache", "accept")
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = bench.http.get(bench.url, headers={"accept": BROWSER, "if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = bench.http.get(bench.url, headers={"accept": BROWSER, "if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("host", ["run.localhost", "nobody.localhost"])
def test_at_the_name_of_a_run_there_is_no_page(bench: Bench, host: str) -> None:
    bench.serve(domain="localhost")
    answer: httpx.Response = bench.http.get(bench.url, headers={"accept": BROWSER, "host": host})
    assert "servestack" not in answer.text


def test_the_list_says_what_is_known_of_each_run(bench: Bench) -> None:
    other = bench.upstream()
    bench.register(
        bench.service("two", model="org/two", url=[bench.tgi.url, other.url]),
        bench.service("api", model="org/api", format="openai", limits={"max_total_tokens": 100}),
        bench.service("vectors", model="org/vectors", format="openai", generates=False),
        bench.service("web", model=None),
    )
    bench.tgi.usual = reply(200, "{}")
    assert _runs(bench) == {
        "object": "list",
        "data": [
            _run(bench, "api", model="org/api", format="openai", context_length=100),
            _run(
                bench,
                "two",
                2,
                model="org/two",
                format="tgi",
                context_length=4096,
                capabilities=["completion", "tools"],
            ),
            _run(
                bench,
                "vectors",
                model="org/vectors",
                format="openai",
                generates=False,
                capabilities=list[str](),
            ),
            _run(bench, "web"),
        ],
        "api_key": "none",
        "needs_api_key": False,
    }
    assert _runs(bench, "/runs") == _runs(bench, "/v1/runs/")


def test_it_tells_which_model_a_server_says_it_serves(bench: Bench) -> None:
    lists: dict[str, Any] = {
        "same": {"data": [{"id": "adapter"}, {"id": "m", "max_model_len": 300, "root": "/weights"}]},
        "other": {"data": [{"id": "elsewhere", "max_model_len": 300}]},
        "none": {"data": []},
        "odd": {"data": "many"},
        "no-json": None,
    }
    servers = {run: _answering(bench, reply(200, json.dumps(said) if said else "[")) for run, said in lists.items()}
    info = bench.upstream()
    info.info = {"model_id": "HuggingFaceTB/SmolLM2-135M-Instruct", "max_total_tokens": 2048}
    bench.register(
        *(bench.service(run, model="m", format="openai", url=tgi.url, weight=1) for run, tgi in servers.items()),
        bench.service("small", model="small", url=info.url),
    )
    for service in bench.registry["services"][:-1]:
        service["weight"] = service["model"].pop("weight")
    bench.write_registry()
    shown = _runs(bench)["data"]
    assert {each["run"]: (each.get("served_model"), each.get("context_length")) for each in shown} == {
        "same": (None, 300),
        "other": ("elsewhere", None),
        "none": (None, None),
        "odd": (None, None),
        "no-json": (None, None),
        "small": ("HuggingFaceTB/SmolLM2-135M-Instruct", 2048),
    }


def test_it_tells_what_each_run_did_in_the_last_minute(bench: Bench) -> None:
    bench.register(
        bench.service("two", model="two"),
        bench.service("other", model="other"),
        bench.service("web", model=None),
    )
    for _ in range(3):
        chat = {"model": "two", "messages": HI}
        assert bench.http.post(f"{bench.url}/v1/chat/completions", json=chat).status_code == 200
    assert bench.http.get(f"{bench.url}/services/web/info").status_code == 200
    names = ("requests_per_second", "tokens_per_second")
    assert {one["run"]: tuple(one[name] for name in names) for one in _runs(bench)["data"]} == {
        "other": (0, 0),
        "two": (3 / 60, 12 / 60),
        "web": (1 / 60, 0),
    }


def test_the_last_minute_is_sixty_seconds() -> None:
    time = [1000.0]
    recent = RecentUse(lambda: time[0])
    ended: Any = SimpleNamespace(run="a", usage=Usage(completion_tokens=30))
    for _ in range(90):
        time[0] += 1
        recent.note(ended)
        recent.note(SimpleNamespace(run="a", usage=None))  # type: ignore[arg-type]
        recent.note(SimpleNamespace(run=None, usage=Usage(completion_tokens=1)))  # type: ignore[arg-type]
    assert (recent.rates("a"), recent.rates("b")) == ((2, 30), (0, 0))
    time[0] += 30
    assert recent.rates("a") == (62 / 60, 31 * 30 / 60)
    time[0] += 60
    assert recent.rates("a") == (0, 0)


def test_it_says_what_a_replica_runs_on_and_costs(bench: Bench) -> None:
    bench.serve(upstream=_answering(bench, _BALANCER).url)
    bought = {"instance_types": ["g6.xlarge", "g5.xlarge"], "hourly_price": 0.8048}
    behind = {"url": None, "min_replicas": 0}
    bench.register(
        {**bench.service("aws"), **behind, **bought},
        {**bench.service("spot"), **behind, **bought, "spot": True},
        {**bench.service("odd"), **behind, "instance_types": ["g6.xlarge"]},
        {**bench.service("old"), **behind},
        bench.service("here", url=["http://127.0.0.2:1", "http://localhost:1", "http://[::1]:1"]),
    )
    names = ("instance_types", "hourly_price", "spot", "same_machine")
    assert {one["run"]: {name: one[name] for name in names if name in one} for one in _runs(bench)["data"]} == {
        "aws": {**bought, "spot": False},
        "spot": {**bought, "spot": True},
        "odd": {"instance_types": ["g6.xlarge"], "spot": False},
        "old": {},
        "here": {"same_machine": True},
    }


def test_it_lists_what_the_caller_can_use(bench: Bench) -> None:
    bench.register(
        bench.service("open", model="org/open"),
        bench.service("closed", model="org/closed", auth=True),
        keys=(ALL,),
    )
    found = {key: _runs(bench, key=key) for key in (None, "sk-wrong", secret("all"))}
    assert {key: ([each["run"] for each in got["data"]], got["api_key"]) for key, got in found.items()} == {
        None: (["open"], "none"),
        "sk-wrong": (["open"], "unknown"),
        secret("all"): (["closed", "open"], "known"),
    }
    assert {got["needs_api_key"] for got in found.values()} == {True}
    assert "closed" not in str(found[None]["data"])


def test_a_model_that_another_run_owns_is_not_named(bench: Bench) -> None:
    bench.register(bench.service("first", created=1), bench.service("second", created=2))
    assert [(each["run"], each.get("model")) for each in _runs(bench)["data"]] == [("first", "m"), ("second", None)]


def test_states_are_those_of_the_replicas(bench: Bench) -> None:
    gone = bench.nobody()
    sleeping, loading, broken = (_answering(bench, script) for script in (_BALANCER, _LOADING, _BROKEN))
    bench.register(
        bench.service("ready", model="a"),
        bench.service("partly", model="b", url=[gone, bench.tgi.url]),
        bench.service("gone", model="c", url=gone),
        {**bench.service("asleep", model="d", format="openai", url=sleeping.url), "min_replicas": 0},
        bench.service("empty", model="e", format="openai", url=sleeping.url),
        {**bench.service("loading", model="f", format="openai", url=loading.url), "min_replicas": 0},
        bench.service("broken", model="g", format="openai", url=broken.url),
        bench.service("web-gone", model=None, url=gone),
    )
    assert {each["run"]: (each["state"], each["replicas"]["ready"]) for each in _runs(bench)["data"]} == {
        "ready": ("ready", 1),
        "partly": ("ready", 1),
        "gone": ("down", 0),
        "asleep": ("asleep", 0),
        "empty": ("down", 0),
        "loading": ("down", 0),
        "broken": ("failing", 0),
        "web-gone": ("down", 0),
    }


def test_behind_a_load_balancer_it_counts_no_replicas_and_guesses_no_state(bench: Bench) -> None:
    balancer = _answering(bench, _BALANCER)
    bench.serve(upstream=balancer.url)
    api = bench.service("api", format="openai", host="api.internal")
    web = bench.service("web", model=None, host="web.internal")
    bench.register({**api, "url": None, "min_replicas": 0}, {**web, "url": None})
    shown = {each["run"]: (each["state"], "replicas" in each) for each in _runs(bench)["data"]}
    assert shown == {"api": ("asleep", False), "web": ("unknown", False)}
    assert {asked.header("host") for asked in balancer.asked} == {"api.internal"}


def test_many_callers_ask_a_replica_once(bench: Bench) -> None:
    bench.register(bench.service(format="openai"))
    bench.tgi.usual = reply(200, "{}")
    for _ in range(5):
        _runs(bench)
    assert [asked.path for asked in bench.tgi.asked] == ["/v1/models"]


def test_looking_wakes_no_run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.register({**bench.service(format="openai"), "min_replicas": 0})
    bench.serve()
    bench.tgi.usual = reply(200, "{}")
    assert _runs(bench)["data"][0]["state"] == "ready"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "gateway.example.com", "x-forwarded-proto": "https"}, "https://run.example.com"),
        ({"host": "Gateway.Example.com:8443"}, "http://run.Example.com:8443"),
        ({"host": "abc.execute-api.example.org"}, "http://abc.execute-api.example.org/services/run"),
        ({"host": "gateway.example.org"}, "http://gateway.example.org/services/run"),
    ],
)
def test_addresses_are_those_that_the_caller_used(bench: Bench, headers: dict[str, str], address: str) -> None:
    bench.serve(domain="example.com")
    assert bench.http.get(f"{bench.url}/runs", headers=headers).json()["data"][0]["url"] == address


def test_at_the_apis_own_address_runs_are_below_the_stage(bench: Bench) -> None:
    bench.register(bench.service(url=bench.nobody()))
    settings = Settings(registry=f"file:{bench.file}", domain="example.com")
    app = behind_adapter(make_app(settings, FileRegistry(str(bench.file))))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [
        (b"host", b"abc.execute-api.example.org"),
        (b"x-forwarded-proto", b"https"),
        (b"x-amzn-request-context", b'{"path": "/live/runs", "stage": "live"}'),
    ]
    scope = {"type": "http", "method": "GET", "headers": headers, "path": "/runs", "raw_path": b"/runs"}

    async def ask() -> None:
        await app({**scope, "scheme": "http", "query_string": b"", "client": None}, receive, send)

    bench.loop.run(ask())
    (shown,) = json.loads(sent[1]["body"])["data"]
    assert shown["url"] == "https://abc.execute-api.example.org/live/services/run"


_BALANCER = reply(503, "<html>503</html>", "text/html", server="awselb/2.0")
_LOADING = reply(503, '{"error": {"message": "Loading model"}}', server="llama.cpp")
_BROKEN = reply(500, "")


def _answering(bench: Bench, script: Any) -> Tgi:
    upstream = bench.upstream()
    upstream.usual = script
    return upstream


def _runs(bench: Bench, path: str = "/v1/runs", key: str | None = None) -> Any:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    answer = bench.http.get(bench.url + path, headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.json()


def _run(bench: Bench, name: str, count: int = 1, **fields: Any) -> dict[str, Any]:
    usual = {"run": name, "url": f"{bench.url}/services/{name}", "auth": False, "state": "ready", "min_replicas": 1}
    usual |= {"same_machine": True, "requests_per_second": 0, "tokens_per_second": 0}
    return {**usual, "replicas": {"count": count, "ready": count}, **fields}


def _hash(text: str, tag: str) -> str:
    (inner,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", text, re.DOTALL)
    return f"'sha256-{b64encode(sha256(inner.encode()).digest()).decode()}'"
