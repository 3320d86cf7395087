"""boto3's own clients with answers given by tests; questions and answers are held against botocore's models.

moto has neither EC2's quotas nor Lambda's account settings and layers of other accounts, nor errors at will.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError
from botocore.validate import validate_parameters


@dataclass(frozen=True)
class Refused:
    """An error of AWS as an answer."""

    code: str
    message: str = "no"
    status: int = 400


Answer = (
    Mapping[str, Any] | Refused | BotoCoreError | ResponseParserError | Callable[[Mapping[str, Any]], Mapping[str, Any]]
)
Answers = Mapping[str, Answer]
"""By `service.Operation`; a function is given what was asked. `service@region.Operation` holds for one region."""

ACCOUNT: dict[str, Answer] = {
    "sts.GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ana", "UserId": "A"},
    "ec2.DescribeRegions": {"Regions": [{"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"}]},
}


@dataclass
class CannedAws:
    """Makes clients; `asked` is what they were asked, in the order in which the questions came."""

    answers: Answers
    asked: list[str] = field(default_factory=list)
    _making: threading.Lock = field(default_factory=threading.Lock)
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __call__(self, service: str, region: str) -> Any:
        with self._making:
            if (service, region) not in self._made:
                client: Any = boto3.client(
                    service, region_name=region, aws_access_key_id="testing", aws_secret_access_key="testing"
                )
                events = client.meta.events
                events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}", self._answer)
                self._made[service, region] = client
            return self._made[service, region]

    def _answer(self, model: Any, params: Mapping[str, Any], context: Mapping[str, Any], **_: object) -> Any:
        service, region = model.service_model.service_name, context["client_region"]
        self.asked.append(f"{service}.{model.name}")
        key = f"{service}@{region}.{model.name}"
        answer = self.answers.get(key, self.answers.get(f"{service}.{model.name}"))
        if answer is None:
            raise AssertionError(f"the test has no answer for {key}")
        if isinstance(answer, BotoCoreError | ResponseParserError):
            raise answer
        if isinstance(answer, Refused):
            error = {"Error": {"Code": answer.code, "Message": answer.message}}
            return _response(answer.status), {**error, "ResponseMetadata": {"HTTPStatusCode": answer.status}}
        given = answer(_parameters(params)) if callable(answer) else answer
        validate_parameters(given, model.output_shape)
        return _response(200), dict(given)


def _parameters(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was asked, from a request that is ready to go: its body, and its path for what has none."""
    return {"body": request.get("body"), "path": request.get("url_path"), "query": request.get("query_string")}


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://aws.invalid", status, {}, None)
