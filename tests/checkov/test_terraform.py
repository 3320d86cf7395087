"""Recorded resources become the Terraform that its provider would be given."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from tests.aws.recording import record
from tests.checkov.terraform import terraform


def test_properties_blocks_references_and_what_is_the_user_s_own() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", tags={"camelCase": "net"}, opts=options)
        aws.ec2.SecurityGroup(
            "group",
            vpc_id=vpc.id,
            description="x",
            opts=pulumi.ResourceOptions.merge(
                options, pulumi.ResourceOptions(protect=True, delete_before_replace=True, depends_on=[vpc])
            ),
        )
        aws.cloudwatch.MetricAlarm(
            "alarm",
            comparison_operator="GreaterThanThreshold",
            evaluation_periods=1,
            threshold=1,
            metric_name="m",
            namespace="n",
            period=60,
            statistic="Sum",
            alarm_description='"quoted" ${x}',
            opts=options,
        )
        aws.dynamodb.Table(
            "table",
            billing_mode="PAY_PER_REQUEST",
            hash_key="pk",
            range_key="sk",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name="pk", type="S"),
                aws.dynamodb.TableAttributeArgs(name="sk", type="S"),
            ],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name="end", enabled=True),
            opts=options,
        )

    text = terraform([record(program, stack="dev")])
    blocks = {block.partition(" {\n")[0]: set(block.splitlines()[1:]) for block in text.split("\n\n")}
    assert blocks.keys() == {
        'resource "aws_vpc" "net"',
        'resource "aws_security_group" "group"',
        'resource "aws_dynamodb_table" "table"',
        'resource "aws_cloudwatch_metric_alarm" "alarm"',
    }
    assert blocks['resource "aws_security_group" "group"'] == {
        'vpc_id = "${aws_vpc.net.id}"',
        'description = "x"',
        "lifecycle {",
        "create_before_destroy = false",
        "prevent_destroy = true",
        "}",
    }
    assert 'tags = {"camelCase": "net"}' in blocks['resource "aws_vpc" "net"']
    assert 'alarm_description = "\\"quoted\\" $${x}"' in blocks['resource "aws_cloudwatch_metric_alarm" "alarm"']
    assert text.count("attribute {\n") == 2
    assert "ttl {\n" in text
