"""Whatever AWS answers to any one question, preflight answers all of them and raises nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSOTokenLoadError

from infra.preflight import run_preflight
from infra.preflight.aws_errors import kind_of
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


def test_importing_costs_no_boto3_and_no_hub() -> None:
    program = (
        "import sys, infra.preflight, infra.readiness, commands.wait;"
        "print([name for name in ('boto3', 'botocore', 'huggingface_hub', 'pulumi') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
