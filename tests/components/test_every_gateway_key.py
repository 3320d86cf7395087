"""Where each key of a gateway and each word of its stack config ends: a surprising value of each, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.configuration import GatewayConfiguration, GatewaySettings
from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account, item, plain, tags_of_all

TESTED_ELSEWHERE = {
    "type",
    "configuration",
    "preflight",
    "certificate",
    "zone_id",
    "vpc_id",
    "subnet_ids",
    "alarm_topic",
}
"""What is looked up, or decides what is refused: test_gateway_variants, test_existing_network, test_refusals,
test_alarms."""

NOTED = {"instance_type", "replicas"}
"""dstack's sizes of an instance, for which the plan says what a function has in their place: tests/planning."""

KEYS = {
    "alice": {
        "runs": ["a"],
        "expires": "2027-01-31",
        "requests_per_minute": 60,
        "tokens_per_day": 1_000_000,
        "max_concurrent": 4,
    },
    "alice@2": {},
    "bob": {},
}


def test_every_key_and_word_of_a_gateway_ends_where_it_is_meant(tmp_path: Path) -> None:
    account = Account(tmp_path)
    text = GATEWAY.replace("us-east-1", "eu-west-1") + "name: g--1\ndomain: example.com\ntags: {Name: x, a: 5}\n"
    layer = "arn:aws:lambda:eu-west-1:123456789012:layer:own:7"
    words = {
        "configuration": account.written("gateway.yml", text),
        "auth": "false",
        "keys": json.dumps(KEYS),
        "domain": "llm.example.com",
        "protect": "false",
        "manage_api_gateway_account": "true",
        "adapter_layer": layer,
        "memory_size": "1769",
        "reserved_concurrency": "900",
        "audit": "true",
        "allowed_origins": "https://app.example.com, HTTP://localhost:3000",
        "alarm_email": "ops@example.com",
        "budget": "365",
    }
    made = account.up("gateway", words)
    function = made.one("aws:lambda/function:Function").inputs
    ends: dict[str, Any] = {
        "name": made.one("aws:lb/loadBalancer:LoadBalancer").name,
        "region, backend": made.exports["connection"]["region"],
        "domain": (made.exports["url"], function["environment"]["variables"]["GATEWAY_DOMAIN"]),
        "tags": {name: value for name, value in tags_of_all(made).items() if not name.startswith("servestack:")},
        "auth": made.exports["connection"]["auth"],
        "keys": sorted(plain(made.exports["api_keys"])),
        "keys.alice": _key(made, "alice"),
        "keys.alice@2": _key(made, "alice@2"),
        "protect": [one.urn for one in made.run.registrations if one.protect],
        "manage_api_gateway_account": len(made.of("aws:apigateway/account:Account")),
        "adapter_layer": function["layers"],
        "memory_size": function["memorySize"],
        "reserved_concurrency": function["reservedConcurrentExecutions"],
        "audit": (
            made.one("aws:lb/loadBalancer:LoadBalancer").inputs["accessLogs"]["enabled"],
            made.one("aws:ec2/flowLog:FlowLog").inputs["trafficType"],
        ),
        "allowed_origins": function["environment"]["variables"]["GATEWAY_ALLOWED_ORIGINS"],
        "alarm_email": made.one("aws:sns/topicSubscription:TopicSubscription").inputs["endpoint"],
        "budget": made.one("aws:cloudwatch/metricAlarm:MetricAlarm", "g--1-budget").inputs["threshold"],
    }
    assert ends == {
        "name": "g--1-load-balancer",
        "region, backend": "eu-west-1",
        "domain": ("https://gateway.llm.example.com", "llm.example.com"),
        "tags": {"Name": "x", "a": "5"},
        "auth": False,
        "keys": ["alice", "alice@2", "bob"],
        "keys.alice": {
            "name": "alice",
            "runs": ["a"],
            "expires": 1_801_440_000,
            "requests_per_minute": 60,
            "tokens_per_day": 1_000_000,
            "max_concurrent": 4,
        },
        "keys.alice@2": {
            "name": "alice@2",
            "requests_per_minute": 60,
            "tokens_per_day": 1_000_000,
            "max_concurrent": 4,
        },
        "protect": [],
        "manage_api_gateway_account": 1,
        "adapter_layer": [layer],
        "memory_size": 1769,
        "reserved_concurrency": 900,
        "audit": (True, "ALL"),
        "allowed_origins": "https://app.example.com,http://localhost:3000",
        "alarm_email": "ops@example.com",
        "budget": 12,
    }
    named = {name for names in ends for name in names.split(", ") if "." not in name}
    known = GatewayConfiguration.model_fields.keys() | GatewaySettings.model_fields.keys()
    assert named == known - TESTED_ELSEWHERE - NOTED, "each key and word ends somewhere"


def _key(made: Recording, name: str) -> dict[str, Any]:
    """What the table has of a key, without its digest."""
    record = item(made.one("aws:dynamodb/tableItem:TableItem", f"g--1-key-{name}"))["record"]
    return {field: value for field, value in record.items() if field != "sha256"}
