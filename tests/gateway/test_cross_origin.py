"""Pages of other origins: what a browser asks before a request, and what lets a page read its answer."""

from __future__ import annotations

import httpx
import pytest

from gateway_lambda.allowed_origins import AllowedOrigins
from tests.gateway.keys import ALL, secret
from tests.gateway.raw_http import ask
from tests.gateway.scripted_tgi import broken_stream, events, reply
from tests.gateway.serving import HI, Bench

PAGE = "https://app.example.com"
READABLE = {"access-control-allow-origin": "*", "access-control-expose-headers": "*"}
ALLOWED = {
    **READABLE,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization,content-type,x-stainless-lang",
    "access-control-max-age": "7200",
}


def cross_origin(response: httpx.Response) -> dict[str, str]:
    """The headers for browsers. One that came twice has a comma."""
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


def preflight(bench: Bench, path: str, origin: str = PAGE, **headers: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
        **headers,
    }
    return bench.http.options(bench.url + path, headers=asked)


@pytest.fixture
def served(bench: Bench) -> Bench:
    bench.register(
        bench.service(),
        bench.service("closed", model=None, auth=True),
        bench.service("secret", model="s", auth=True),
        bench.service("plain", model=None),
        keys=(ALL,),
    )
    return bench


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/models",
        "/no/such/route",
        "/services/closed/x",
        "/services/secret/v1/chat/completions",
        "/services/run/v1/chat/completions",
        "/services/nobody/x",
    ],
)
def test_the_gateway_answers_a_preflight_without_a_key_and_tells_no_name(served: Bench, path: str) -> None:
    response = preflight(served, path)
    assert (response.status_code, response.content, cross_origin(response)) == (200, b"", ALLOWED)
    assert served.tgi.asked == []


def test_a_preflight_that_asks_for_no_header_is_allowed_none(served: Bench) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "DELETE"}
    response = served.http.options(f"{served.url}/v1/models", headers=asked)
    assert cross_origin(response) == {
        **READABLE,
        "access-control-allow-methods": "DELETE",
        "access-control-max-age": "7200",
    }


OWN = {"access-control-allow-origin": PAGE, "access-control-allow-credentials": "true"}


def test_the_service_of_an_open_run_answers_its_own_preflights(served: Bench) -> None:
    served.tgi.usual = reply(204, "", "text/plain", **OWN)
    response = preflight(served, "/services/plain/x")
    assert (response.status_code, cross_origin(response)) == (204, OWN)
    assert (served.tgi.asked[-1].method, served.tgi.asked[-1].header("origin")) == ("OPTIONS", PAGE)


@pytest.mark.parametrize("status", [405, 404, 500, 204])
def test_a_preflight_that_a_service_does_not_know_is_allowed(served: Bench, status: int) -> None:
    served.tgi.usual = reply(status, "", "text/plain")
    response = preflight(served, "/services/plain/x")
    assert (response.status_code, cross_origin(response)) == (200, ALLOWED)


def test_options_that_are_no_preflight_are_a_request_like_others(served: Bench) -> None:
    without_method = {"origin": PAGE}
    response = served.http.options(f"{served.url}/v1/chat/completions", headers=without_method)
    assert (response.status_code, cross_origin(response)) == (405, READABLE)
    response = served.http.options(f"{served.url}/services/closed/x", headers={"access-control-request-method": "GET"})
    assert (response.status_code, cross_origin(response)) == (401, {})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 200),
        ("GET", "/healthz", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/chat/completions", 405),
        ("GET", "/services/closed/x", 401),
        ("GET", "/services/%2e%2e/x", 400),
        ("GET", "/services/plain/x", 201),
        ("POST", "/services/run/generate", 201),
    ],
)
def test_a_page_reads_every_answer_and_nobody_else_gets_more(
    served: Bench, method: str, path: str, status: int
) -> None:
    served.tgi.usual = reply(201, "made", "text/plain")
    url = httpx.URL(served.url + path)
    response = served.http.request(method, url, headers={"origin": PAGE})
    assert (response.status_code, cross_origin(response)) == (status, READABLE)
    assert cross_origin(served.http.request(method, url)) == {}


def test_a_page_reads_streams_and_their_errors(served: Bench) -> None:
    body = {"model": "m", "messages": HI, "stream": True}
    response = served.http.post(f"{served.url}/v1/chat/completions", json=body, headers={"origin": PAGE})
    assert (response.status_code, cross_origin(response)) == (200, READABLE)
    assert response.text.endswith("data: [DONE]\n\n")
    served.tgi.usual = broken_stream(*events("Hel", finish=None))
    response = served.http.post(f"{served.url}/v1/chat/completions", json=body, headers={"origin": PAGE})
    assert (response.status_code, cross_origin(response)) == (200, READABLE)
    assert "upstream_incomplete" in response.text


def test_a_service_that_lets_pages_read_its_answer_keeps_its_headers(served: Bench) -> None:
    served.tgi.usual = reply(200, "x", "text/plain", **OWN)
    for path in ("/services/plain/x", "/services/run/x"):
        response = served.http.get(served.url + path, headers={"origin": PAGE})
        assert (response.status_code, cross_origin(response)) == (200, OWN)


def test_only_listed_origins_are_let_in(served: Bench) -> None:
    served.serve(allowed_origins=f"{PAGE}, http://localhost:3000")
    for origin in (PAGE, "http://localhost:3000"):
        response = preflight(served, "/services/closed/x", origin)
        assert (response.status_code, response.headers["vary"]) == (200, "Origin")
        assert cross_origin(response) == {**ALLOWED, "access-control-allow-origin": origin}
        response = served.http.get(f"{served.url}/healthz", headers={"origin": origin})
        assert cross_origin(response) == {**READABLE, "access-control-allow-origin": origin}
    for origin in ("https://evil.example", "null", f"{PAGE}.evil.example", f"{PAGE}:8443"):
        response = preflight(served, "/services/closed/x", origin)
        assert (response.status_code, cross_origin(response), response.headers["vary"]) == (401, {}, "Origin")
        response = served.http.get(f"{served.url}/healthz", headers={"origin": origin})
        assert (response.status_code, cross_origin(response), response.headers["vary"]) == (200, {}, "Origin")


def test_no_origin_is_let_in_where_none_is(served: Bench) -> None:
    served.serve(allowed_origins="none")
    assert (preflight(served, "/v1/models").status_code, cross_origin(preflight(served, "/v1/models"))) == (405, {})
    response = served.http.get(f"{served.url}/healthz", headers={"origin": PAGE})
    assert (response.status_code, cross_origin(response), response.headers.get("vary")) == (200, {}, None)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nOrigin: https://a\r\nA: b\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nOrigin: https://a\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"POST / HTTP/1.1\r\nOrigin: https://a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["malformed", "too many lines", "another coding"],
)
def test_a_page_reads_what_a_connection_ends_with(bench: Bench, request_: bytes) -> None:
    port = int(bench.url.rpartition(":")[2])
    assert ask(port, request_).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ask(port, request_.replace(b"Origin", b"Elsewhere")).headers


@pytest.mark.parametrize("text", ["", "https://a,", "*,https://a", "a.example", "https://a/", "https://*.a", "none,*"])
def test_what_is_no_list_of_origins_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^give \*, none, or origins such as https://app\.example\.com, with commas between them$"
    ):
        AllowedOrigins(text)


KEYS = [{"x-api-key": secret("all")}, {"api-key": secret("all")}]


@pytest.mark.parametrize("key", KEYS, ids=["x-api-key", "api-key"])
def test_the_headers_of_other_clients_carry_a_key(served: Bench, key: dict[str, str]) -> None:
    models = served.http.get(f"{served.url}/v1/models", headers=key).json()["data"]
    assert [model["id"] for model in models] == ["m", "s"]
    body = {"model": "s", "messages": HI}
    assert served.http.post(f"{served.url}/v1/chat/completions", json=body, headers=key).status_code == 200
    assert served.http.get(f"{served.url}/services/closed/x", headers=key).status_code == 200
    wrong = dict.fromkeys(key, "sk-wrong")
    assert served.http.get(f"{served.url}/services/closed/x", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (KEYS[0], {}),
        (KEYS[1], {}),
        ({"authorization": f"Bearer {secret('all')}", **KEYS[0]}, {}),
        ({"authorization": f"Bearer {secret('all')}", "x-api-key": "its own"}, {"x-api-key": "its own"}),
        ({**KEYS[0], "api-key": "its own"}, {"api-key": "its own"}),
    ],
)
def test_a_key_of_the_gateway_goes_no_further(served: Bench, sent: dict[str, str], passed: dict[str, str]) -> None:
    assert served.http.get(f"{served.url}/services/closed/x", headers=sent).status_code == 200
    found = {name: served.tgi.asked[-1].header(name) for name in ("authorization", "x-api-key", "api-key")}
    assert {name: value for name, value in found.items() if value is not None} == passed


def test_a_key_header_of_an_open_run_is_its_own_affair(served: Bench) -> None:
    served.http.get(f"{served.url}/services/plain/x", headers={"x-api-key": "its own"})
    assert served.tgi.asked[-1].header("x-api-key") == "its own"
