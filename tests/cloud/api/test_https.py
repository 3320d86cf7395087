"""The cloud's names over HTTPS: curl, OpenAI's SDK, the proxy, and what the API says by itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cloud.api.conftest import DOMAIN
from tests.cloud.api.deployment import REGION, Cloud
from tests.cloud.api.served import Api
from tests.lambda_function.service import Answer, Service, Steps

WEB = f"https://web.{DOMAIN}"
SDK = """
from openai import OpenAI
with OpenAI(base_url="https://gateway.models.localhost/v1", api_key="none") as client:
    for part in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True):
        print(part.choices[0].delta.content, flush=True)
"""


def test_curl_reaches_a_run_by_its_name(api: Api, web: Service) -> None:
    got = api.curl(f"{WEB}/a%20b?x=1&x=2", headers=[("x-mine", "yes")])
    assert (got.ended, got.status, got.body) == (0, 200, b"ok")
    assert {"date", "x-amzn-requestid", "x-amz-apigw-id"} <= got.headers.keys()
    (asked,) = web.asked
    told = ("host", "x-forwarded-host", "x-mine", "x-forwarded-for", "x-forwarded-proto")
    assert (asked.path, [asked.header(name) for name in told]) == (
        "/a%20b?x=1&x=2",
        [[f"web.{DOMAIN}"], [f"web.{DOMAIN}:{api.served.port}"], ["yes"], ["127.0.0.1"], ["https"]],
    )


def test_an_answer_arrives_as_it_is_produced(api: Api, web: Service) -> None:
    steps = Steps(b"one ", b"two ", b"three")
    web.answers = lambda asked: Answer(pieces=steps)
    command = ["curl", "-sSN", "--cacert", str(api.served.authority), api.address(f"{WEB}/slow")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}) as curl:
        assert curl.stdout is not None
        for piece in (b"one ", b"two ", b"three"):
            steps.go()
            assert curl.stdout.read(len(piece)) == piece, "it came while the rest was not even there"
        assert (curl.stdout.read(), curl.wait(100)) == (b"", 0)


def test_the_sdk_streams_through_the_proxy_with_nothing_but_two_variables(api: Api, web: Service, cloud: Cloud) -> None:
    from gateway_lambda.registry.record import Model
    from gateway_lambda.registry.record import Service as Record

    cloud.run(
        "gateway-1", Record(run="chat", host=f"chat.{DOMAIN}", auth=False, model=Model(name="m", format="openai"))
    )
    chunks = [_chunk("Hel"), _chunk("lo"), b"data: [DONE]\n\n"]
    steps = Steps(*chunks)
    web.answers = lambda asked: Answer(headers=[("content-type", "text/event-stream")], pieces=steps)
    variables = {
        "HTTPS_PROXY": f"http://127.0.0.1:{api.served.proxy_port}",
        "SSL_CERT_FILE": str(api.served.authority),
    }
    with subprocess.Popen([sys.executable, "-c", SDK], stdout=subprocess.PIPE, env=variables) as client:
        assert client.stdout is not None
        steps.go()
        assert client.stdout.readline() == b"Hel\n"
        steps.go()
        assert client.stdout.readline() == b"lo\n"
        steps.go()
        assert (client.stdout.read(), client.wait(100)) == (b"", 0)
    assert web.asked[-1].header("host") == [f"chat.{DOMAIN}"]


def test_the_apis_own_address_answers_through_the_proxy(api: Api, web: Service, gateway: str) -> None:
    own = f"https://{gateway}.execute-api.{REGION}.amazonaws.com"
    got = api.curl(f"{own}/live/services/web/a", proxied=True)
    assert (got.status, got.body) == (200, b"ok")
    assert [(asked.path, asked.header("x-forwarded-prefix")) for asked in web.asked] == [("/a", ["/live/services/web"])]
    refused = [api.curl(f"{own}{path}", proxied=True) for path in ("/", "/other/services/web/a")]
    assert [(each.status, json.loads(each.body)) for each in refused] == [(403, {"message": "Forbidden"})] * 2


def test_a_name_that_nobody_has_is_not_certified_and_forbidden(api: Api) -> None:
    for host in ("nothing.localhost", f"a.b.{DOMAIN}", DOMAIN):
        assert api.curl(f"https://{host}/").ended == 60, "curl does not trust it"
        got = api.curl(f"https://{host}/", "--insecure")
        assert (got.status, got.headers["x-amzn-errortype"], json.loads(got.body)) == (
            403,
            "ForbiddenException",
            {"message": "Forbidden"},
        )


def test_the_challenge_of_a_401_arrives_renamed(api: Api, web: Service) -> None:
    web.answers = lambda asked: Answer(status=401, headers=[("www-authenticate", "Basic")], body=b"no")
    got = api.curl(f"{WEB}/")
    assert (got.status, got.body) == (401, b"no")
    assert got.headers["x-amzn-remapped-www-authenticate"] == "Basic"
    assert got.headers["x-amzn-remapped-server"].startswith("BaseHTTP/")
    assert not {"www-authenticate", "server"} & got.headers.keys()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_goes_through(api: Api, web: Service, method: str) -> None:
    got = api.curl(f"{WEB}/x", "-X", method)
    assert (got.status, got.body, web.asked[0].method) == (200, b"ok", method)


@pytest.mark.parametrize(
    ("arguments", "answer", "wanted"),
    [
        (["-I"], Answer(body=b"hello"), (200, b"")),
        ([], Answer(status=204), (204, b"")),
        ([], Answer(status=304, headers=[("etag", '"1"')]), (304, b"")),
        ([], Answer(body=b""), (200, b"\n")),
        ([], Answer(status=302, headers=[("location", "/caf\xe9"), ("set-cookie", "a=1")]), (302, b"\n")),
        ([], Answer(body=bytes(range(256)) * 48_000), (200, bytes(range(256)) * 48_000)),
        (["--http2"], Answer(body=b"ok"), (200, b"ok")),
        (["-H", "Transfer-Encoding: chunked", "-d", "a=1"], Answer(body=b"ok"), (200, b"ok")),
    ],
    ids=["HEAD", "204", "304", "empty", "redirect", "12 MB", "HTTP/2", "chunks"],
)
def test_a_response_is_whole_whatever_it_is(
    api: Api, web: Service, arguments: list[str], answer: Answer, wanted: tuple[int, bytes]
) -> None:
    web.answers = lambda asked: answer
    got = api.curl(f"{WEB}/", *arguments)
    assert (got.ended, got.status, got.headers.get("location", "/caf%E9")) == (0, wanted[0], "/caf%E9")
    # curl writes the head of a response to HEAD where its body would go.
    assert (b"" if arguments == ["-I"] else got.body) == wanted[1]
    assert web.asked[0].body == (b"a=1" if "-d" in arguments else b"")


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "multipart/form-data; boundary=b"])
def test_bytes_of_any_value_travel_both_ways(api: Api, web: Service, kind: str) -> None:
    data = bytes(range(256)) * 40
    web.answers = lambda asked: Answer(headers=[("content-type", kind)], body=data[::-1])
    got = api.curl(f"{WEB}/", headers=[("content-type", kind)], body=data)
    assert (web.asked[0].body, got.body, got.headers["content-type"]) == (data, data[::-1], kind)


def test_bytes_of_a_type_that_is_not_binary_are_mangled(api: Api, web: Service) -> None:
    """As on AWS, where the event's body is text."""
    api.curl(f"{WEB}/", headers=[("content-type", "application/json")], body=b'"\xff\xe9"')
    assert web.asked[0].body == '"\ufffd\ufffd"'.encode()


def test_a_request_has_a_largest_size(api: Api, web: Service) -> None:
    def asked(kind: str, size: int) -> tuple[int, str | None]:
        got = api.curl(f"{WEB}/", headers=[("content-type", kind)], body=b"x" * size)
        return got.status, None if got.status == 200 else json.loads(got.body)["error"]["code"]

    assert asked("application/json", 6_280_000) == (200, None)
    assert asked("application/json", 6_291_556) == (413, "request_too_large")
    assert asked("image/png", 4_700_000) == (200, None)
    assert asked("image/png", 4_720_000) == (413, "request_too_large")
    assert asked("application/json", 10_485_761) == (413, "request_too_large")
    assert [len(each.body) for each in web.asked] == [6_280_000, 4_700_000]


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()
