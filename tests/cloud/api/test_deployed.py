"""Which stage and which route answer a request."""

from __future__ import annotations

import pytest

from cloud.api.deployed import Deployment, Found, Integration, Names, Route, Stage, route_of

INTEGRATION = Integration("arn", streamed=True, seconds=900)
PATHS = ("/", "/{proxy+}", "/models", "/models/{name}", "/models/{name}/{rest+}")
DEPLOYMENT = Deployment([Route(path, path, "ANY", INTEGRATION) for path in PATHS], [], {}, own_address=True)
ONE, TWO = (Stage(name, name, "eu-west-1", "live", DEPLOYMENT) for name in ("one", "two"))
CLOSED = Stage("closed", "closed", "eu-west-1", "live", Deployment([], [], {}, own_address=False))
NAMES = Names(
    {"*.a.localhost": {"": ONE}, "special.a.localhost": {"v1": ONE, "v1/deep": TWO}},
    {
        "one.execute-api.eu-west-1.amazonaws.com": {"live": ONE},
        "closed.execute-api.eu-west-1.amazonaws.com": {"live": CLOSED},
    },
)


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("/x", "/{proxy+}", {"proxy": "x"}),
        ("/x//y/", "/{proxy+}", {"proxy": "x//y/"}),
        ("/models", "/models", {}),
        ("/models/a%2Fb", "/models/{name}", {"name": "a%2Fb"}),
        ("/models/a/b/c", "/models/{name}/{rest+}", {"name": "a", "rest": "b/c"}),
    ],
)
def test_a_fixed_part_comes_before_a_parameter_and_that_before_a_greedy_one(
    path: str, resource: str, parameters: dict[str, str]
) -> None:
    route, found = route_of(DEPLOYMENT, path, "GET") or (None, {})
    assert (route and route.path, found) == (resource, parameters)


def test_a_method_of_its_own_comes_before_any() -> None:
    own = Route("get", "/models", "GET", INTEGRATION)
    deployment = Deployment([*DEPLOYMENT.routes, own], [], {}, own_address=True)
    found = [route_of(deployment, "/models", method) for method in ("GET", "POST")]
    assert [each and each[0].method for each in found] == ["GET", "ANY"]
    assert route_of(Deployment([own], [], {}, own_address=True), "/models", "POST") is None


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        ("run.a.localhost", "/x", Found(ONE, "/x", "/x")),
        ("deep.run.a.localhost", "/x", None),
        ("a.localhost", "/x", None),
        ("special.a.localhost", "/v1/x", Found(ONE, "/v1/x", "/x")),
        ("special.a.localhost", "/v1", Found(ONE, "/v1", "/")),
        ("special.a.localhost", "/v1/deep/x", Found(TWO, "/v1/deep/x", "/x")),
        ("special.a.localhost", "/v10/x", None),
        ("one.execute-api.eu-west-1.amazonaws.com", "/live/x/y", Found(ONE, "/x/y", "/x/y")),
        ("one.execute-api.eu-west-1.amazonaws.com", "/live", Found(ONE, "/", "/")),
        ("one.execute-api.eu-west-1.amazonaws.com", "/x/live", None),
        ("closed.execute-api.eu-west-1.amazonaws.com", "/live/x", None),
    ],
)
def test_a_name_and_a_path_lead_to_a_stage(host: str, path: str, found: Found | None) -> None:
    assert NAMES.find(host, path) == found


def test_a_certificate_has_the_name_of_the_domain_or_of_all_apis_of_a_region() -> None:
    asked = ("run.a.localhost", "special.a.localhost", "x.execute-api.eu-west-1.amazonaws.com", "a.localhost")
    assert [NAMES.certified(host) for host in asked] == [
        "*.a.localhost",
        "special.a.localhost",
        "*.execute-api.eu-west-1.amazonaws.com",
        None,
    ]
