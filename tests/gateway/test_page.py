"""The page at the root: who gets it, what it names, and what a browser may do with it."""

from __future__ import annotations

import html
import re
import subprocess

import httpx
import pytest

from gateway_lambda.registry.record import Model, Service
from gateway_lambda.routing.page import page, page_headers, prefers_page
from tests.gateway.keys import ALL, secret
from tests.gateway.serving import Bench

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
"""What Chromium and Firefox send."""


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


def test_the_page_names_open_runs_alone_unless_a_key_may_use_more(bench: Bench) -> None:
    bench.register(
        bench.service("web", model=None),
        bench.service("chat", model="org/chat"),
        bench.service("closed", model="org/closed", auth=True),
        keys=(ALL,),
    )
    note = "Other runs need an API key"
    rows = [["org/chat", "chat", f"{bench.url}/services/chat/"], ["no model", "web", f"{bench.url}/services/web/"]]
    closed = ["org/closed", "closed", f"{bench.url}/services/closed/"]
    asked = bench.http.get(bench.url, headers={"accept": BROWSER}).text
    assert (_rows(asked), note in asked, "closed" in asked) == (rows, True, False)
    asked = bench.http.get(bench.url, headers={"accept": BROWSER, "authorization": f"Bearer {secret('all')}"}).text
    assert (_rows(asked), note in asked) == ([rows[0], closed, rows[1]], False)


def test_where_everything_needs_a_key_the_page_says_so(bench: Bench) -> None:
    bench.register(bench.service("secret-run", model="secret-model", auth=True), keys=(ALL,))
    asked = bench.http.get(bench.url, headers={"accept": BROWSER})
    assert (asked.status_code, _rows(asked.text), "secret" in asked.text) == (200, [], False)
    assert "No run here is open to callers without an API key." in asked.text
    assert _commands(asked.text) == [f'curl {bench.url}/v1/models \\\n    -H "Authorization: Bearer $API_KEY"']


def test_a_model_that_another_run_owns_is_not_named(bench: Bench) -> None:
    bench.register(bench.service("first", created=1), bench.service("second", created=2))
    text = bench.http.get(bench.url, headers={"accept": BROWSER}).text
    assert [row[:2] for row in _rows(text)] == [["m", "first"], ["no model", "second"]]


def test_the_command_of_the_page_works_as_it_stands(bench: Bench) -> None:
    text = bench.http.get(bench.url, headers={"accept": BROWSER}).text
    (command,) = _commands(text)
    done = subprocess.run(["bash", "-c", f"{command} -s"], capture_output=True, text=True, timeout=60, check=True)
    assert '"object":"chat.completion"' in done.stdout


def test_addresses_are_those_that_the_caller_used(bench: Bench) -> None:
    headers = {"accept": BROWSER, "host": "gateway.example.com", "x-forwarded-proto": "https"}
    text = bench.http.get(bench.url, headers=headers).text
    assert "<code>https://gateway.example.com/v1</code>" in text
    assert _rows(text)[0][2] == "https://gateway.example.com/services/run/"


def test_what_the_page_shows_is_escaped_for_html_and_for_the_shell() -> None:
    name = "<script>alert('x')</script>\"$(reboot)"
    service = Service(run="run", model=Model(name=name, format="openai"))
    text = page("http://h'<b>$(id)", [(service, name)], others_need_a_key=False).decode()
    assert ("<script" in text, "<b>" in text, _rows(text)[0][0]) == (False, False, name)
    (command,) = _commands(text)
    words = subprocess.run(
        ["bash", "-c", command.replace("curl", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words[0] == "http://h'<b>$(id)/v1/chat/completions"
    assert name.replace('"', '\\"') in words[-1]


def test_a_browser_keeps_runs_and_loads_nothing(bench: Bench) -> None:
    answer = bench.http.get(bench.url, headers={"accept": BROWSER})
    sent = {name.decode(): value.decode() for name, value in page_headers()}
    assert {name: answer.headers[name] for name in sent} == sent
    assert sent["cache-control"] == "no-store"
    policy = sent["content-security-policy"]
    assert re.sub("sha256-[A-Za-z0-9+/]{43}=", "sha256-HASH", policy) == (
        "default-src 'none'; style-src 'sha256-HASH'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert re.findall(r"<(?:script|link|img|iframe|form|a)\b|url\(|style=|\bon[a-z]+=", answer.text) == []


@pytest.mark.parametrize("host", ["run.localhost", "nobody.localhost"])
def test_at_the_name_of_a_run_there_is_no_page(bench: Bench, host: str) -> None:
    bench.serve(domain="localhost")
    answer: httpx.Response = bench.http.get(bench.url, headers={"accept": BROWSER, "host": host})
    assert "servestack gateway" not in answer.text


def _rows(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", text)
    return [[html.unescape(re.sub("</?code>", "", cell)) for cell in row.split("</td><td>")] for row in rows]


def _commands(text: str) -> list[str]:
    return [html.unescape(command) for command in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]
