"""Whatever AWS answers to any one question, preflight answers all of them and raises nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSOTokenLoadError,
)
from botocore.parsers import ResponseParserError

from infra.preflight import run_preflight
from infra.preflight.aws_errors import aws_failures, in_words, kind_of
from infra.preflight.clients import aws_client
from tests.preflight import test_gateway, test_service
from tests.preflight.canned import CannedAws, Refused
from tests.preflight.plans import PLACE, clients, gateway_plan

ERRORS: dict[str, tuple[Any, str]] = {
    "denied": (Refused("AccessDenied", "no", 403), "denied"),
    "denied by EC2": (Refused("UnauthorizedOperation", "no", 403), "denied"),
    "throttled": (Refused("Throttling", "Rate exceeded"), "passing"),
    "throttled by EC2": (Refused("RequestLimitExceeded", "no", 503), "passing"),
    "broken": (Refused("SomethingNew", "no", 500), "passing"),
    "no network": (EndpointConnectionError(endpoint_url="https://aws.invalid"), "passing"),
    "no connection in time": (ConnectTimeoutError(endpoint_url="https://aws.invalid"), "passing"),
    "no answer in time": (ReadTimeoutError(endpoint_url="https://aws.invalid"), "passing"),
    "an answer that is not AWS's": (ResponseParserError("Unable to parse response, invalid XML received"), "passing"),
    "expired": (Refused("RequestExpired", "no"), "credentials"),
    "logged out": (SSOTokenLoadError(profile_name="work", error_msg="no token"), "credentials"),
    "refused": (Refused("ValidationError", "no"), "other"),
}


@pytest.mark.parametrize(("error", "kind"), ERRORS.values(), ids=ERRORS)
def test_no_error_of_any_one_question_is_raised(error: Any, kind: str) -> None:
    for operation in test_service.GOOD:
        if operation != "service-quotas.GetAWSDefaultServiceQuota":
            aws = CannedAws({**test_service.GOOD, operation: error})
            findings = run_preflight(test_service.PLAN, clients(aws), PLACE)
            assert {finding.level for finding in findings} - {"ok"}, f"{operation} was not answered, and nobody is told"
    for operation in test_gateway.GOOD:
        aws = CannedAws({**test_gateway.GOOD, operation: error})
        findings = run_preflight(gateway_plan(), clients(aws, name_servers=lambda domain: test_gateway.SERVERS))
        assert {finding.level for finding in findings} - {"ok"}, f"{operation} was not answered, and nobody is told"
        refused = [finding.topic for finding in findings if finding.level == "refusal"]
        if kind in ("denied", "passing") and not operation.startswith(("sts", "lambda.GetLayer")):
            assert refused == [], f"{operation}: what cannot be asked is no reason to refuse"


@pytest.mark.parametrize(("error", "kind"), ERRORS.values(), ids=ERRORS)
def test_an_error_has_a_kind(error: Any, kind: str) -> None:
    raised = error
    if isinstance(error, Refused):
        with pytest.raises(Exception, match=error.code) as caught:
            CannedAws({"sts.GetCallerIdentity": error})("sts", "us-east-1").get_caller_identity()
        raised = caught.value
    assert kind_of(raised) == kind


PROFILES: dict[str, tuple[str, str]] = {
    "no such profile": ("", "ProfileNotFound: The config profile (work) could not be found"),
    "no configuration": ("[profile work\n", "ConfigParseError: Unable to parse config file: "),
    "no such program": (
        "[profile work]\ncredential_process = /no/such/program\n",
        "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/program'",
    ),
    "a program that says something else": ("[profile work]\ncredential_process = echo well\n", "JSONDecodeError: "),
    "a program that fails": ("[profile work]\ncredential_process = sh -c 'exit 3'\n", "from custom-process"),
    "no login": (
        "[profile work]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session s]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n",
        "SSOTokenLoadError: Error loading SSO Token: Token for s does not exist",
    ),
    "a code that nobody is asked for": (
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = default\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/ana\n[default]\naws_access_key_id = a\n"
        "aws_secret_access_key = b\n",
        "its role needs an MFA code, which cannot be typed here; export credentials that were made with one: ",
    ),
}


@pytest.mark.parametrize(("config", "said"), PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("by_stack", [False, True], ids=["AWS_PROFILE", "aws:profile"])
def test_a_profile_without_credentials_is_refused_with_the_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str, said: str, by_stack: bool
) -> None:
    """Whatever the caller's own files and programs end with; nothing is asked at the terminal."""
    (tmp_path / "config").write_text(config)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    if not by_stack:
        monkeypatch.setenv("AWS_PROFILE", "work")
    aws = aws_client("work" if by_stack else None)
    [finding] = run_preflight(gateway_plan(), clients(aws))
    assert (finding.level, finding.topic) == ("refusal", "credentials")
    assert said in finding.message
    assert "\n" not in finding.message


def test_what_a_request_was_signed_with_and_a_proxys_password_are_not_shown() -> None:
    message = (
        "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for "
        "this request should have been\n'POST\nx-amz-security-token:abc"
    )
    signed = ClientError({"Error": {"Code": "InvalidSignatureException", "Message": message}}, "Query")
    assert in_words(signed) == (
        "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
    )
    proxy = ProxyConnectionError(proxy_url="http://ana:password@proxy:3128")
    assert in_words(proxy) == 'ProxyConnectionError: Failed to connect to proxy URL: "http://proxy:3128"'


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sts", "get_caller_identity"),
        ("ec2", "describe_regions"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("elbv2", "describe_load_balancers"),
        ("route53", "list_hosted_zones"),
    ],
)
def test_a_page_of_a_proxy_in_place_of_an_answer_is_an_error_that_is_named(
    monkeypatch: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    """boto3's own parsers read what a captive portal or a proxy answers with status 200. These services speak XML."""

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            page = b"<html><body>Please log in: token=s3cret"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as portal:
        thread = threading.Thread(target=portal.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{portal.server_port}")
        try:
            with pytest.raises(aws_failures()) as caught:
                getattr(aws_client()(service, "us-east-1"), operation)()
        finally:
            portal.shutdown()
            thread.join()
    assert kind_of(caught.value) == "passing"
    assert "s3cret" not in in_words(caught.value)


def test_importing_costs_no_boto3_and_no_hub() -> None:
    program = (
        "import sys, infra.preflight, infra.readiness, commands.wait;"
        "print([name for name in ('boto3', 'botocore', 'huggingface_hub', 'pulumi') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
