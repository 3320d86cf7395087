"""What Terraform calls the types of Pulumi's AWS provider, and its functions."""

from __future__ import annotations

import re

_MODULES = {"apigateway": "api_gateway_", "ec2": "", "index": "", "s3": "s3_", "vpc": "vpc_"}
"""How a module of Pulumi is called in Terraform's types, where the names differ."""
_TYPES = {
    "aws:apigateway/response:Response": "aws_api_gateway_gateway_response",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "aws_default_security_group",
    "aws:ec2/getInstanceType:getInstanceType": "aws_ec2_instance_type",
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": "aws_ec2_instance_type_offerings",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
}


def terraform_type(type: str) -> str:
    """`aws_s3_bucket` of `aws:s3/bucket:Bucket`, `aws_subnets` of `aws:ec2/getSubnets:getSubnets`."""
    _, _, path = type.partition(":")
    module, _, kind = path.partition(":")[0].partition("/")
    return _TYPES.get(type, f"aws_{_MODULES.get(module, f'{module}_')}{snake(kind.removeprefix('get'))}")


def snake(name: str) -> str:
    """`vpc_id` of `vpcId`."""
    words = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)
    return words[:1].lower() + words[1:]
