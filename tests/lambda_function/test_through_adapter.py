"""What a run's service and its clients see of each other through API, web adapter and gateway."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import pytest

from tests.lambda_function.conftest import TaskRoot, named_adapter
from tests.lambda_function.function import Function, function, wait_until_it_has_the_registry, wait_until_ready
from tests.lambda_function.rest_api import CLIENT, Response
from tests.lambda_function.runtime_api import LARGEST_EVENT, EventTooLarge
from tests.lambda_function.service import Answer, Service, Steps
from tests.support.requirements import require

pytestmark = [getattr(pytest.mark, "lambda"), pytest.mark.xdist_group("lambda")]

WEB = "web.example.org"
API = "a1b2c3.execute-api.eu-west-1.amazonaws.com"
EVERY_BYTE = bytes(range(256)) * 40


@pytest.fixture(scope="module", params=["lambda-adapter", "stand-in"])
def served(request: pytest.FixtureRequest, unpacked: TaskRoot, environment: dict[str, str]) -> Iterator[Function]:
    """The function behind the real adapter, and behind the one that `make cloud` has where that is missing."""
    if request.param == "lambda-adapter":
        require("lambda-adapter")
    stand_in = request.param == "stand-in"
    with function(unpacked.folder, unpacked.path, environment, stand_in=stand_in) as running:
        wait_until_ready(running)
        wait_until_it_has_the_registry(running)
        yield running


def test_the_adapter_says_which_it_is(served: Function, record_property: Callable[[str, str], None]) -> None:
    if served.adapter is None:
        return
    assert served.api.user_agent.startswith("aws-lambda-rust/")
    record_property("lambda-adapter", named_adapter(served))


def test_a_response_arrives_as_it_is_produced(served: Function, web: Service) -> None:
    steps = Steps(b"one ", b"two ", b"three")
    web.answers = lambda asked: Answer(pieces=steps)
    invocation = served.invoke("GET", "/slow", host=WEB)
    for number, piece in enumerate((b"one ", b"two ", b"three")):
        steps.go()
        assert invocation.piece(number).data == piece, "it came while the rest was not even there"
    assert invocation.payload() == b"one two three"
    assert invocation.metadata()["statusCode"] == 200


def test_status_and_headers_do_not_wait_for_the_body(served: Function, web: Service) -> None:
    steps = Steps(b"body")
    web.answers = lambda asked: Answer(status=202, headers=[("x-early", "yes")], pieces=steps)
    invocation = served.invoke("GET", "/", host=WEB)
    metadata = invocation.metadata()
    assert (metadata["statusCode"], metadata["headers"]["x-early"], invocation.pieces) == (202, "yes", [])
    steps.go()
    assert invocation.payload() == b"body"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        pytest.param("GET", Answer(body=b""), id="200"),
        pytest.param("POST", Answer(status=201, pieces=()), id="201 in chunks"),
        pytest.param("GET", Answer(status=302, headers=[("location", "/y")]), id="redirect"),
        pytest.param("GET", Answer(status=404), id="404"),
        pytest.param("GET", Answer(headers=[("content-encoding", "gzip")]), id="200 of an encoding"),
    ],
)
def test_an_empty_body_becomes_a_line_feed(served: Function, web: Service, method: str, answer: Answer) -> None:
    """An empty payload may never end for the API's client (aws-lambda-web-adapter issue 499)."""
    web.answers = lambda asked: answer
    response = served.ask(method, "/", host=WEB)
    assert (response.status, response.body) == (answer.status, b"\n")
    assert response.headers.get("content-length", ("1",)) == ("1",)
    assert "content-encoding" not in response.headers
    if answer.status == 302:
        assert response.headers["location"] == ("/y",)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        pytest.param("DELETE", Answer(status=204), id="204"),
        pytest.param("GET", Answer(status=304, headers=[("etag", '"1"')]), id="304"),
        pytest.param("HEAD", Answer(body=b"hello"), id="HEAD"),
        pytest.param("HEAD", Answer(body=b""), id="HEAD of nothing"),
    ],
)
def test_where_no_body_is_allowed_the_answer_ends_all_the_same(
    served: Function, web: Service, method: str, answer: Answer
) -> None:
    """Metadata, delimiter and the last chunk are there; over HTTP there is no way to add a byte."""
    web.answers = lambda asked: answer
    response = served.ask(method, "/", host=WEB)
    assert (response.status, response.body) == (answer.status, b"")
    if method == "HEAD":
        assert response.headers["content-length"] == (str(len(answer.body)),)


def test_a_request_of_five_megabytes_arrives_whole(served: Function, web: Service) -> None:
    body = b'{"text": "' + b"x" * 5_000_000 + b'"}'
    served.ask("POST", "/", host=WEB, body=body, headers=[("content-type", "application/json")])
    assert web.asked[0].body == body
    assert web.asked[0].header("content-length") == [str(len(body))]


@pytest.mark.parametrize(
    ("kind", "fits", "too_large"),
    [("application/json", 6_280_000, 6_291_556), ("application/octet-stream", 4_700_000, 4_720_000)],
)
def test_an_event_has_a_largest_size_and_binary_grows_on_its_way(
    served: Function, web: Service, kind: str, fits: int, too_large: int
) -> None:
    request = {"host": WEB, "headers": [("content-type", kind)]}
    served.ask("POST", "/", body=b"x" * fits, **request)
    assert len(web.asked[0].body) == fits
    with pytest.raises(EventTooLarge, match=str(LARGEST_EVENT)):
        served.ask("POST", "/", body=b"x" * too_large, **request)


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "image/png", "audio/wav", "multipart/form-data; boundary=b"]
)
def test_bytes_of_any_value_travel_both_ways(served: Function, web: Service, kind: str) -> None:
    web.answers = lambda asked: Answer(headers=[("content-type", kind)], body=EVERY_BYTE[::-1])
    response = served.ask("POST", "/", host=WEB, body=EVERY_BYTE, headers=[("content-type", kind)])
    assert web.asked[0].body == EVERY_BYTE
    assert (response.body, response.headers["content-type"]) == (EVERY_BYTE[::-1], (kind,))


def test_cookies_stay_apart_and_other_repeated_headers_share_a_line(served: Function, web: Service) -> None:
    given = [("set-cookie", "a=1; Path=/"), ("link", "<a>"), ("set-cookie", "b=2, x"), ("vary", "a"), ("link", "<b>")]
    web.answers = lambda asked: Answer(headers=given, body=b"x")
    response = served.ask("GET", "/", host=WEB)
    assert {name: response.headers[name] for name in ("set-cookie", "link", "vary")} == {
        "set-cookie": ("a=1; Path=/", "b=2, x"),
        "link": ("<a>, <b>",),
        "vary": ("a",),
    }


def test_the_adapters_own_headers_go_no_further_whoever_wrote_them(served: Function, web: Service) -> None:
    """They hold the account and the function; a client that sends them is not believed either."""
    spoofed = [("x-amzn-request-context", '{"identity": {"sourceIp": "6.6.6.6"}}'), ("X-Amzn-Lambda-Context", "{}")]
    served.ask("GET", "/", host=WEB, headers=[*spoofed, ("x-mine", "yes")])
    names = {name.lower() for name, _ in web.asked[0].headers}
    assert not names & {"x-amzn-request-context", "x-amzn-lambda-context", "x-amz-tenant-id"}
    assert web.asked[0].header("x-mine") == ["yes"]


def test_a_service_learns_who_asked_and_by_which_name(served: Function, web: Service) -> None:
    served.ask("GET", "/", host=WEB)
    told = ("host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
    assert {name: web.asked[0].header(name) for name in told} == {
        "host": [WEB],
        "x-forwarded-for": [CLIENT],
        "x-forwarded-host": [WEB],
        "x-forwarded-proto": ["https"],
    }


@pytest.mark.parametrize(
    ("host", "path", "arrives", "before"),
    [
        ("web.example.org", "/a/b", "/a/b", []),
        ("WEB.Example.org", "/", "/", []),
        ("gateway.example.org", "/services/web/a", "/a", ["/services/web"]),
        (API, "/services/web/", "/", ["/live/services/web"]),
        (
            API,
            "/services/web/%C3%A9 b%2F",
            "/%C3%A9%20b%2F",
            ["/live/services/web"],
        ),
    ],
)
def test_the_host_of_the_request_decides_and_no_other_header(
    served: Function, web: Service, host: str, path: str, arrives: str, before: list[str]
) -> None:
    misleading = [("x-forwarded-host", "locked.example.org"), ("forwarded", "host=locked.example.org")]
    assert served.ask("GET", path, host=host, headers=misleading).status == 200
    assert (web.asked[0].path, web.asked[0].header("x-forwarded-prefix")) == (arrives, before)


INJECTED = "%0d%0aHost: x%0d%0a%0d%0aGET /stolen HTTP/1.1%0d%0aHost: locked.example.org%0d%0a%0d%0a"


@pytest.mark.parametrize("host", [WEB, "gateway.example.org", API])
@pytest.mark.parametrize("up", ["/..", "/%2e%2e", "/%2E.", "\\..", "/..\\..", "/x/..;y/..", "/.%2e"])
def test_a_path_that_climbs_is_refused_before_anything_is_made_of_it(
    served: Function, web: Service, host: str, up: str
) -> None:
    """The adapter resolves it, and passes on what is left; the API's own words still hold what was written."""
    for path in (f"/{INJECTED}{up}/services/web/x", f"/services/locked{up}/web/x", f"/services/web/x{up}"):
        response = served.ask("GET", path, host=host)
        assert (response.status, b"has a segment" in response.body) == (400, True)
    assert served.ask("GET", "/services/web/after", host=host).body == b"ok"
    assert [asked.path.removeprefix("/services/web") for asked in web.asked] == ["/after"]


def test_encoded_ends_of_lines_never_become_lines(served: Function, web: Service) -> None:
    for host, path in ((WEB, f"/{INJECTED}"), (API, f"/services/web/{INJECTED}")):
        served.ask("GET", path, host=host, headers=[("x-a", "%0d%0ax-b: 1"), ("x-forwarded-for", INJECTED)])
    assert [(asked.method, "stolen" in asked.path) for asked in web.asked] == [("GET", True)] * 2
    assert [asked.header("x-b") for asked in web.asked] == [[], []]


def test_path_and_query_arrive_with_every_value(served: Function, web: Service) -> None:
    """The adapter keeps the order of a name's values, not that of the names."""
    served.ask("GET", "/a b/é", host=WEB, query=[("a", "1"), ("b", "x y&="), ("a", "é")])
    path, _, query = web.asked[0].path.partition("?")
    assert (path, parse_qs(query)) == ("/a%20b/%C3%A9", {"a": ["1", "é"], "b": ["x y&="]})


@pytest.mark.parametrize(
    "path",
    [
        "/a%20b/%C3%A9",
        "/x%2Fy",
        "/x%252Fy",
        "/a//b/",
        "/100%25",
        "/%3Fa%23b",
        "/a;b=c,d",
        "/[x]|y",
        "/services/locked/a",
    ],
)
def test_a_path_arrives_as_it_was_sent(served: Function, web: Service, path: str) -> None:
    """A REST API leaves the event's path encoded; the adapter and the gateway touch nothing either."""
    served.ask("GET", path, host=WEB)
    assert web.asked[0].path == path


@pytest.mark.parametrize(
    "value",
    ["a+b c%20&=é", "", "\N{GRINNING FACE}", "a/b?c#d", "x;y|{z}"],
    ids=["plus", "empty", "wide", "path", "odd"],
)
def test_a_querys_value_arrives_whatever_it_is(served: Function, web: Service, value: str) -> None:
    served.ask("GET", "/", host=WEB, query=[("q[]", value)])
    query = web.asked[0].path.partition("?")[2]
    assert parse_qs(query, keep_blank_values=True, strict_parsing=True) == {"q[]": [value]}


def test_of_a_request_header_that_comes_twice_the_last_value_arrives(served: Function, web: Service) -> None:
    """The adapter puts the event's single values over its lists (docs/aws.md, Limits)."""
    served.ask("GET", "/", host=WEB, headers=[("x-a", "1"), ("x-a", "2"), ("x-long", "y" * 9000), ("x-empty", "")])
    assert [web.asked[0].header(name) for name in ("x-a", "x-long", "x-empty")] == [["2"], ["y" * 9000], [""]]


def test_a_browsers_preflight_is_the_services_own_affair(served: Function, web: Service) -> None:
    allowed = [("access-control-allow-origin", "https://a.example"), ("access-control-allow-methods", "POST")]
    web.answers = lambda asked: Answer(status=204, headers=allowed)
    wanted = [("origin", "https://a.example"), ("access-control-request-method", "POST")]
    response = served.ask("OPTIONS", "/", host=WEB, headers=wanted)
    assert response.status == 204
    assert {name: response.headers[name] for name, _ in allowed} == {name: (value,) for name, value in allowed}
    assert [(name, web.asked[0].header(name)) for name, _ in wanted] == [(name, [value]) for name, value in wanted]


def test_what_a_service_encoded_is_passed_on_encoded(served: Function, web: Service) -> None:
    packed = gzip.compress(EVERY_BYTE)
    web.answers = lambda asked: Answer(headers=[("content-encoding", "gzip"), ("vary", "*")], body=packed)
    response = served.ask("GET", "/", host=WEB, headers=[("accept-encoding", "gzip")])
    assert (response.body, response.headers["content-encoding"]) == (packed, ("gzip",))
    assert web.asked[0].header("accept-encoding") == ["gzip"]


def test_a_header_that_is_not_ascii_arrives_percent_encoded(served: Function, web: Service) -> None:
    """The adapter would write it as an empty list, and the API would refuse the whole response."""
    web.answers = lambda asked: Answer(status=302, headers=[("location", "/caf\xe9"), ("set-cookie", "a=\xe9")])
    response = served.ask("GET", "/", host=WEB)
    assert (response.headers["location"], response.headers["set-cookie"]) == (("/caf%E9",), ("a=%E9",))


def test_twelve_megabytes_come_back_whole(served: Function, web: Service) -> None:
    """More than a response that is not streamed could have."""
    web.answers = lambda asked: Answer(body=EVERY_BYTE * 1200)
    assert served.ask("GET", "/", host=WEB).body == EVERY_BYTE * 1200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_goes_through(served: Function, web: Service, method: str) -> None:
    assert served.ask(method, "/x", host=WEB).body == b"ok"
    assert (web.asked[0].method, web.asked[0].path) == (method, "/x")


def test_the_challenge_of_a_401_arrives_renamed(served: Function, web: Service) -> None:
    response = served.ask("GET", "/", host="locked.example.org")
    assert (response.status, response.headers["x-amzn-remapped-www-authenticate"]) == (401, ("Bearer",))
    assert "www-authenticate" not in response.headers
    assert web.asked == []


def test_a_key_opens_a_run_and_ends_at_the_gateway(served: Function, web: Service) -> None:
    response = served.ask("GET", "/", host="locked.example.org", headers=[("Authorization", "Bearer ss-alice")])
    assert (response.status, response.body) == (200, b"ok")
    assert web.asked[0].header("authorization") == []


def test_a_response_that_breaks_off_is_marked_in_its_payload(served: Function, web: Service) -> None:
    """The adapter writes what it means as trailers into the payload, and ends it as if it were whole."""
    web.answers = lambda asked: Answer(pieces=(b"one", b"two"), breaks_off=True)
    response: Response = served.ask("GET", "/", host=WEB)
    assert response.body.startswith(b"onetwoLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n")
