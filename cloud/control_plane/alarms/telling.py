"""What an alarm tells a topic when its state changes, as CloudWatch words it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sns.exceptions import SNSNotFoundError
from moto.sns.models import sns_backends

from cloud.control_plane.environment import ACCOUNT


def tell(topic: str, alarm: Any, before: str, now: float) -> None:
    """Publish a change of state. A topic that is gone hears nothing, as on AWS."""
    region = topic.split(":")[3]
    subject = f'{alarm.state_value}: "{alarm.name}" in {alarm.region_name}'
    with contextlib.suppress(SNSNotFoundError, ServiceException):
        sns_backends[ACCOUNT][region].publish(json.dumps(_message(alarm, before, now)), arn=topic, subject=subject)


def _message(alarm: Any, before: str, now: float) -> Mapping[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }
