"""The gateway's signatures against botocore's."""

from __future__ import annotations

import random
import string
import time
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import get_current_datetime
from botocore.credentials import Credentials as BotoCredentials

from gateway_lambda.registry.sigv4 import Credentials, NoCredentials, credentials_in, signed

_TEXT = string.ascii_letters + string.digits + "/+=-_.~ "


def test_five_hundred_random_requests_are_signed_as_botocore_signs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    for _ in range(500):
        now = chance.randrange(1_000_000_000, 4_000_000_000)
        credentials = Credentials(_text(chance, 20), _text(chance, 40), chance.choice(["", _text(chance, 300)]))
        region = chance.choice(["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"])
        service = chance.choice(["dynamodb", "autoscaling"])
        host = chance.choice(["dynamodb.eu-west-1.amazonaws.com", "localhost:4566", "127.0.0.1:8000"])
        headers = {"content-type": "application/x-amz-json-1.0"}
        headers |= {f"x-amz-{_name(chance)}": _text(chance, 30) + "  " + _text(chance, 3) for _ in range(3)}
        body = chance.randbytes(chance.randrange(2000))
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda now=now: _moment(now))
        request = AWSRequest("POST", f"https://{host}/", headers={**headers, "host": host}, data=body)
        SigV4Auth(BotoCredentials(*credentials[:2], credentials.token or None), service, region).add_auth(request)

        found = signed(
            credentials,
            region=region,
            service=service,
            host=host,
            path="/",
            headers=headers,
            body=body,
            now=now,
        )
        assert found["authorization"] == request.headers["Authorization"]
        assert found["x-amz-date"] == request.headers["X-Amz-Date"]
        assert found.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


def test_the_secret_is_in_no_repr_and_not_in_what_is_sent() -> None:
    credentials = Credentials("AKIAEXAMPLE", "secret-1", "token-1")
    sent = signed(credentials, region="r", service="s", host="h", path="/", headers={}, body=b"", now=time.time())
    assert "secret-1" not in repr(credentials) + repr(sent)
    assert "token-1" not in repr(credentials)


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
@pytest.mark.parametrize("empty", [{}, {"AWS_ACCESS_KEY_ID": " "}])
def test_missing_credentials_are_named(missing: str, empty: dict[str, str]) -> None:
    given = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret-1"}
    del given[missing]
    with pytest.raises(NoCredentials, match="AWS_ACCESS_KEY_ID" if empty else missing) as told:
        credentials_in(given | empty)
    assert "secret-1" not in str(told.value)


def test_credentials_without_a_token_do_not_expire() -> None:
    given = {"AWS_ACCESS_KEY_ID": " id ", "AWS_SECRET_ACCESS_KEY": "s\n"}
    assert credentials_in(given) == Credentials("id", "s", "")


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(tzinfo=get_current_datetime().tzinfo)


def _text(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(_TEXT, k=length)).strip() or "x"


def _name(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase + "-", k=12)).strip("-") or "x"
