"""The registry against an emulator of AWS: what stacks write is read, and the function's role allows that alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore
import botocore.exceptions
import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry import table_counters
from gateway_lambda.registry.counters import DAY, SECOND, Counted, Entry, Limits, Verdict, per_minute
from gateway_lambda.registry.dynamodb import DynamoRegistry
from gateway_lambda.registry.record import Key, Model, Service
from gateway_lambda.registry.table import StateItem, Table
from gateway_lambda.registry.table_client import TableClient
from gateway_lambda.registry.table_counters import TableCounters
from infra.components import policies
from infra.planning.table_items import COUNTER, LIMIT, claim_item, counter_partition, key_item, routing_item
from tests.registry.emulator import TABLE, Account

pytestmark = [pytest.mark.xdist_group("emulator"), pytest.mark.usefixtures("patient")]

LOG_GROUP = "arn:aws:logs:eu-west-1:000000000000:log-group:/servestack/function"
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
SERVICES = ("dynamodb", "ssm", "iam", "ec2", "logs", "autoscaling", "elbv2", "secretsmanager", "kms", "apigateway")
OPEN = Service(run="open", host="open.example.org", auth=False, model=Model(name="m", chat_template="{{ '\"é\\n' }}"))
CLOSED = Service(run="closed", host="closed.internal", model=Model(name="n"))
ALICE = Key(name="alice", sha256=hashlib.sha256(b"ss-alice").hexdigest(), runs=["closed"])


@pytest.fixture(scope="module")
def role(emulator: Account) -> dict[str, str]:
    """Credentials of the function, with the policy that its component gives it."""
    policy = policies.document(
        policies.write_logs(LOG_GROUP),
        policies.read_registry(emulator.table_arn),
        policies.count_limits(emulator.table_arn),
        *policies.attach_to_network(),
    )
    return emulator.assumed("function", policy)


def look(environment: Mapping[str, str]) -> Table:
    return asyncio.run(DynamoRegistry(TABLE, environment).table())


def test_what_stacks_write_is_what_the_function_reads(account: Account, role: dict[str, str]) -> None:
    account.put(claim_item("open", "organization/servestack/open"), routing_item(OPEN), routing_item(CLOSED))
    account.put(key_item(ALICE), json.dumps({"pk": {"S": "state#open"}, "sk": {"S": "i-1"}, "step": {"S": "pull"}}))
    table = look(account.environment(role))
    assert table.services == (CLOSED, OPEN)
    assert table.key(ALICE.sha256) == ALICE


def test_the_policy_names_the_partitions_that_counters_have() -> None:
    assert (LIMIT, COUNTER) == (table_counters.PARTITION, table_counters.SORT_KEY)


def test_the_role_may_count_limits(account: Account, role: dict[str, str]) -> None:
    """Other partitions are not denied here: the emulator does not know dynamodb:LeadingKeys."""

    async def count() -> list[Verdict | None]:
        counters = TableCounters(TableClient(TABLE, account.environment(role)))
        limits = Limits(per_minute(1), 100, 1)
        entries = [Entry("key#alice", limits, request, 20_000 * DAY) for request in "ab"]
        verdicts = [await counters.begin(entry) for entry in entries]
        await counters.end(entries[0], 7, 20_000 * DAY)
        counters.close()
        await asyncio.sleep(0)
        return verdicts

    until = 20_000 * DAY + 60 * SECOND
    assert asyncio.run(count()) == [Verdict(None, Counted(until, 0, 1)), Verdict("rate", Counted(until, 0, 1))]
    key = {"pk": {"S": counter_partition("alice")}, "sk": {"S": COUNTER}}
    assert account.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]["tokens"] == {"N": "7"}


def test_what_a_replica_writes_is_what_the_function_reads(account: Account, role: dict[str, str]) -> None:
    said = {"step": {"S": "pull"}, "percent": {"N": "40"}, "at": {"N": "1800000000"}, "ttl": {"N": "9999999999"}}
    figures = {"figures": {"S": '{"tokens_per_second": 2.5}'}, "figures_at": {"N": "1800000060"}}
    account.put(json.dumps({"pk": {"S": "state#open"}, "sk": {"S": "i-1"}, **said, **figures}))
    found = asyncio.run(DynamoRegistry(TABLE, account.environment(role)).state_items("open"))
    assert found == (
        StateItem(
            instance="i-1",
            at=1_800_000_000,
            step="pull",
            percent=40,
            figures_at=1_800_000_060,
            tokens_per_second=2.5,
        ),
    )


def test_a_registry_above_a_megabyte_is_read_whole(account: Account, role: dict[str, str]) -> None:
    """Two records of 400 kB are the most that an answer holds."""
    runs = [Service(run=f"run-{number}", model=Model(name="m", chat_template="x" * 350_000)) for number in range(5)]
    account.put(*map(routing_item, runs))
    assert look(account.environment(role)).services == tuple(runs)


def test_an_empty_registry_is_one(account: Account, role: dict[str, str]) -> None:
    assert look(account.environment(role)).services == ()


def test_a_signature_by_another_secret_is_refused(account: Account, role: dict[str, str]) -> None:
    with pytest.raises(ServiceError) as told:
        look(account.environment({**role, "aws_secret_access_key": "another"}))
    assert told.value.status == 503


@pytest.mark.parametrize(
    "denied",
    [
        pytest.param(lambda c: c("dynamodb").scan(TableName=TABLE), id="scan"),
        pytest.param(lambda c: c("dynamodb").get_item(TableName=TABLE, Key=_item("registry", "run#open")), id="get"),
        pytest.param(lambda c: c("dynamodb").put_item(TableName=TABLE, Item=_item("registry", "run#x")), id="put"),
        pytest.param(lambda c: c("dynamodb").delete_item(TableName=TABLE, Key=_item("registry", "run#x")), id="delete"),
        pytest.param(lambda c: c("dynamodb").describe_table(TableName=TABLE), id="describe"),
        pytest.param(lambda c: c("dynamodb").query(TableName="another", **_partition("registry")), id="another table"),
        pytest.param(lambda c: c("ssm").get_parameters(Names=["/servestack/open/TOKEN"]), id="parameters"),
        pytest.param(lambda c: c("s3").list_buckets(), id="buckets"),
        pytest.param(lambda c: c("iam").list_roles(), id="roles"),
        pytest.param(lambda c: c("ec2").describe_instances(), id="instances"),
        pytest.param(lambda c: c("lambda").list_functions(), id="functions"),
        pytest.param(lambda c: c("logs").describe_log_groups(), id="log groups"),
    ],
)
def test_the_functions_role_may_nothing_else(
    account: Account, role: dict[str, str], denied: Callable[[Callable[[str], Any]], Any]
) -> None:
    """Another partition of the table is not among them: the emulator does not know dynamodb:LeadingKeys."""
    with pytest.raises(botocore.exceptions.ClientError) as told:
        denied(lambda service: account.client(service, role))
    assert told.value.response["Error"]["Code"] in DENIED


def test_of_all_that_can_be_asked_without_parameters_the_role_may_only_what_lambda_needs(
    account: Account, role: dict[str, str]
) -> None:
    """On AWS these two are denied to what runs in the function all the same: the emulator knows no
    lambda:SourceFunctionArn."""
    asked = {service: dict(_outcomes(account.client(service, role))) for service in SERVICES}
    assert sum(map(len, asked.values())) > 350
    assert {
        (service, operation): outcome
        for service, outcomes in asked.items()
        for operation, outcome in outcomes.items()
        if outcome not in DENIED
    } == {("ec2", "DescribeNetworkInterfaces"): "allowed", ("ec2", "DescribeSubnets"): "allowed"}


def test_a_replica_s_role_writes_its_state_item_and_its_figures_and_reads_and_removes_nothing(account: Account) -> None:
    role = account.assumed("replica", policies.document(policies.write_state(account.table_arn, "open")))
    table, key = account.client("dynamodb", role), _item("state#open", "i-1")
    table.put_item(TableName=TABLE, Item={**key, "step": {"S": "serving"}, "ttl": {"N": "1"}})
    table.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET figures = :figures, figures_at = :at, #ttl = :ttl",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":figures": {"S": "{}"}, ":at": {"N": "5"}, ":ttl": {"N": "7205"}},
    )
    assert account.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"] == {
        **key, "step": {"S": "serving"}, "ttl": {"N": "7205"}, "figures": {"S": "{}"}, "figures_at": {"N": "5"},
    }  # fmt: skip
    for denied in (table.get_item, table.delete_item):
        with pytest.raises(botocore.exceptions.ClientError) as told:
            denied(TableName=TABLE, Key=key)
        assert told.value.response["Error"]["Code"] in DENIED


def _outcomes(client: Any) -> Iterator[tuple[str, str]]:
    model = client.meta.service_model
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        if shape is None or not shape.required_members:
            try:
                getattr(client, botocore.xform_name(operation))()
                yield operation, "allowed"
            except botocore.exceptions.ClientError as problem:
                yield operation, problem.response["Error"]["Code"]


def _item(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def _partition(key: str) -> dict[str, Any]:
    return {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": key}}}
