"""An emulator of AWS on loopback that checks signatures and enforces policies: DynamoDB, IAM, STS."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from infra.components.policies import assumed_by
from tests.support.processes import free_port, running

REGION = "eu-west-1"
TABLE = "registry-1"
_ADMIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Account:
    """An account with the gateway's table in it."""

    url: str
    table_arn: str

    def client(self, service: str, credentials: Mapping[str, str] = _ADMIN) -> Any:
        """AWS's own client, the administrator's unless told otherwise."""
        return boto3.client(service, REGION, endpoint_url=self.url, **credentials)

    def put(self, *items: str) -> None:
        """Write items, each in the typed JSON that a stack writes."""
        client = self.client("dynamodb")
        for item in items:
            client.put_item(TableName=TABLE, Item=json.loads(item))

    def empty(self) -> None:
        client = self.client("dynamodb")
        for page in client.get_paginator("scan").paginate(TableName=TABLE):
            for item in page["Items"]:
                client.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})

    def assumed(self, role: str, policy: str) -> dict[str, str]:
        """Credentials of a session of a new role with that policy alone, as boto3 takes them."""
        iam = self.client("iam")
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=assumed_by("lambda"))["Role"]["Arn"]
        iam.put_role_policy(RoleName=role, PolicyName="its", PolicyDocument=policy)
        trust = json.loads(assumed_by("lambda"))
        trust["Statement"][0]["Principal"] = {"AWS": "*"}
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        session = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
        return {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }

    def environment(self, credentials: Mapping[str, str] = _ADMIN) -> dict[str, str]:
        """What Lambda would give a function with these credentials."""
        given = {name.upper(): value for name, value in credentials.items()}
        return {**given, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_DYNAMODB": self.url}


@contextlib.contextmanager
def emulated(folder: Path) -> Iterator[Account]:
    """The emulator, for the time of the block."""
    port = free_port()
    settings = {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(folder),
    }
    with running([sys.executable, "-m", "ministack"], env=settings, cwd=folder) as process:
        process.wait_for("Running on http")
        account = Account(f"http://127.0.0.1:{port}", "")
        made = account.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield Account(account.url, made["TableDescription"]["TableArn"])
