"""A table, a parameter with a secret, and random bytes, in a region of their own."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random

config = pulumi.Config()
key = config.get("key") or "id"
provider = aws.Provider(
    "aws", region="eu-central-1", default_tags=aws.ProviderDefaultTagsArgs(tags={"project": "tests"})
)
options = pulumi.ResourceOptions(provider=provider)
bytes_of_key = random.RandomBytes("key", length=32)
table = aws.dynamodb.Table(
    "table",
    hash_key=key,
    attributes=[aws.dynamodb.TableAttributeArgs(name=key, type="S")],
    billing_mode="PAY_PER_REQUEST",
    opts=options,
)
parameter = aws.ssm.Parameter("password", type="SecureString", value=config.require_secret("password"), opts=options)
refused = config.get("type")
if refused:
    aws.ssm.Parameter("refused", type=refused, value="x", opts=options)
pulumi.export("table", table.name)
pulumi.export("arn", table.arn)
pulumi.export("key", bytes_of_key.base64)
pulumi.export("parameter", parameter.value)
pulumi.export("account", aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider)).account_id)
