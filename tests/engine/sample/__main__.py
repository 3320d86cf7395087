"""A network, a table with one item, a log group, a key, and a resource of the project's own."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_random as random
from noted import Noted

config = pulumi.Config()
provider = aws.Provider("aws", region="eu-central-1")
options = pulumi.ResourceOptions(provider=provider)

vpc = aws.ec2.Vpc("network", cidr_block=config.get("cidr") or "10.0.0.0/16", opts=options)
table = aws.dynamodb.Table(
    "registry",
    billing_mode="PAY_PER_REQUEST",
    hash_key="pk",
    attributes=[aws.dynamodb.TableAttributeArgs(name="pk", type="S")],
    opts=options,
)
item = aws.dynamodb.TableItem(
    "claim",
    table_name=table.name,
    hash_key="pk",
    item=json.dumps({"pk": {"S": config.require("item")}, "owner": {"S": config.get("owner") or "me"}}),
    opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[vpc])),
)
logs = aws.cloudwatch.LogGroup(
    "logs",
    name=config.get("log_name"),
    log_group_class=config.get("log_class") or "STANDARD",
    retention_in_days=config.get_int("retention") or 30,
    opts=options,
)
parameter = aws.ssm.Parameter(
    "token", name="/sample/token", type="SecureString", value=config.require_secret("token"), opts=options
)
key = random.RandomBytes("key", length=16)
noted = Noted("noted", {"of": item.id, "answer": None})

pulumi.export("vpc", vpc.id)
pulumi.export("key", key.hex)
pulumi.export("logs", logs.name)
pulumi.export("answer", noted.answer)
