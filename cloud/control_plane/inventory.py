"""What exists in the account that did not exist at the start: after everything is destroyed, nothing."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.acm.models import acm_backends
from moto.apigateway.models import apigateway_backends
from moto.autoscaling.models import autoscaling_backends
from moto.awslambda.models import lambda_backends
from moto.budgets.models import budgets_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.route53.models import route53_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.ssm.models import ssm_backends


@dataclass(frozen=True, order=True)
class Resource:
    """One resource."""

    region: str
    kind: str
    """As Terraform's AWS provider calls it."""
    id: str


def resources() -> frozenset[Resource]:
    """Everything that exists now."""
    return frozenset(
        Resource(region, kind, str(id))
        for kind, (backends, ids) in KINDS.items()
        for _, region, backend in backends.iter_backends()
        for id in ids(backend)
    )


def since(at_the_start: frozenset[Resource]) -> Sequence[Mapping[str, str]]:
    """What exists now and did not then, without what every account has in a region."""
    found = sorted(one for one in resources() - at_the_start if not _everybodys(one))
    return [{"region": one.region, "kind": one.kind, "id": one.id} for one in found]


def _everybodys(one: Resource) -> bool:
    """Whether every account has it: moto makes default networks when a region is used first."""
    backend: Any = ec2_backends["123456789012"].get(one.region)
    if backend is None:
        return False
    default = backend.get_default_vpc()
    known: set[str] = {default.id, str(default.dhcp_options and default.dhcp_options.id)} if default else set()
    for vpc in [default] if default else []:
        known |= {group.id for group in backend.groups[vpc.id].values() if group.is_default}
        known |= {table.id for table in backend.route_tables.values() if table.vpc_id == vpc.id}
        known |= {
            subnet.id for zones in backend.subnets.values() for subnet in zones.values() if subnet.vpc_id == vpc.id
        }
    return one.id in known


def _living(endpoints: Mapping[str, Any]) -> list[str]:
    """moto keeps those that were deleted."""
    return [id for id, endpoint in endpoints.items() if endpoint.state not in ("deleted", "deleting")]


def _rules(backend: Any) -> Iterator[str]:
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            yield from (rule.arn for rule in listener.rules.values() if not rule.is_default)


def _alive(backend: Any) -> Iterator[str]:
    return (one.id for one in backend.all_instances() if one.state != "terminated")


def _records(backend: Any) -> Iterator[str]:
    for zone in backend.zones.values():
        yield from (f"{zone.id}/{record.name}/{record.type}" for record in zone.rrsets)


def _groups(backend: Any) -> Iterator[str]:
    """A VPC has a default group until it goes."""
    return (group.id for groups in backend.groups.values() for group in groups.values() if not group.is_default)


def _items(backend: Any) -> Iterator[str]:
    return (
        f"{name}/{item.hash_key.value}/{item.range_key and item.range_key.value}"
        for name, table in backend.tables.items()
        for item in table.all_items()
    )


KINDS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "aws_acm_certificate": (acm_backends, lambda one: list(one._certificates)),
    "aws_api_gateway_rest_api": (apigateway_backends, lambda one: list(one.apis)),
    "aws_api_gateway_domain_name": (apigateway_backends, lambda one: list(one.domain_names)),
    "aws_autoscaling_group": (autoscaling_backends, lambda one: list(one.autoscaling_groups)),
    "aws_autoscaling_policy": (autoscaling_backends, lambda one: list(one.policies)),
    "aws_autoscaling_schedule": (autoscaling_backends, lambda one: list(one.scheduled_actions)),
    "aws_lambda_function": (lambda_backends, lambda one: [found.function_name for found in one.list_functions(None)]),
    "aws_budgets_budget": (budgets_backends, lambda one: [name for all in one.budgets.values() for name in all]),
    "aws_cloudwatch_dashboard": (cloudwatch_backends, lambda one: list(one.dashboards)),
    "aws_cloudwatch_metric_alarm": (cloudwatch_backends, lambda one: list(one.alarms)),
    "aws_dynamodb_table": (dynamodb_backends, lambda one: list(one.tables)),
    "aws_dynamodb_table_item": (dynamodb_backends, _items),
    "aws_flow_log": (ec2_backends, lambda one: list(one.flow_logs)),
    "aws_instance": (ec2_backends, _alive),
    "aws_internet_gateway": (ec2_backends, lambda one: list(one.internet_gateways)),
    "aws_launch_template": (ec2_backends, lambda one: list(one.launch_templates)),
    "aws_network_interface": (ec2_backends, lambda one: list(one.enis)),
    "aws_route_table": (ec2_backends, lambda one: list(one.route_tables)),
    "aws_security_group": (ec2_backends, _groups),
    "aws_subnet": (ec2_backends, lambda one: [id for zone in one.subnets.values() for id in zone]),
    "aws_ebs_volume": (ec2_backends, lambda one: list(one.volumes)),
    "aws_vpc": (ec2_backends, lambda one: list(one.vpcs)),
    "aws_vpc_endpoint": (ec2_backends, lambda one: _living(one.vpc_end_points)),
    "aws_lb": (elbv2_backends, lambda one: list(one.load_balancers)),
    "aws_lb_listener_rule": (elbv2_backends, _rules),
    "aws_lb_target_group": (elbv2_backends, lambda one: list(one.target_groups)),
    "aws_iam_instance_profile": (iam_backends, lambda one: list(one.instance_profiles)),
    "aws_iam_role": (iam_backends, lambda one: [role.name for role in one.roles.values()]),
    "aws_cloudwatch_log_group": (logs_backends, lambda one: list(one.groups)),
    "aws_route53_record": (route53_backends, _records),
    "aws_route53_zone": (route53_backends, lambda one: list(one.zones)),
    "aws_s3_bucket": (s3_backends, lambda one: list(one.buckets)),
    "aws_sns_topic": (sns_backends, lambda one: list(one.topics)),
    "aws_sns_topic_subscription": (sns_backends, lambda one: list(one.subscriptions)),
    "aws_ssm_parameter": (ssm_backends, lambda one: [name for name in one._parameters if not name.startswith("/aws/")]),
}
"""What a stack of servestack can leave behind: how it is found, by kind."""
