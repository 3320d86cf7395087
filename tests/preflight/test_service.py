"""What is asked about a service, and what is said to each answer."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway_lambda.registry.record import Holder, ModelClaim, Service
from infra.planning import read_catalog
from infra.planning.running import Reservation
from infra.planning.table_items import claim_item, model_item, routing_item
from infra.preflight import Finding, refuses, report, run_preflight
from infra.preflight.needs import needs, quotas
from tests.preflight.canned import ACCOUNT, Answers, CannedAws, Refused
from tests.preflight.plans import PLACE, WEB, clients, one, service_plan

ZONES = ("us-east-1a", "us-east-1b")
OWN_TAGS = [
    {"Key": "servestack:run", "Value": "yellow-cat-1"},
    {"Key": "servestack:stack", "Value": "organization/servestack/yellow-cat-1"},
]


def claims(*runs: str, owner: str = "organization/servestack/another") -> dict[str, Any]:
    return {"Items": [json.loads(claim_item(run, owner)) for run in runs]}


def sold(*kinds: str, zones: tuple[str, ...] = ZONES) -> dict[str, Any]:
    return {
        "InstanceTypeOfferings": [
            {"InstanceType": kind, "LocationType": "availability-zone", "Location": zone}
            for kind in kinds
            for zone in zones
        ]
    }


def quota(value: float) -> dict[str, Any]:
    return {"Quota": {"ServiceCode": "ec2", "Value": value}}


def running(*instances: dict[str, Any]) -> dict[str, Any]:
    return {"Reservations": [{"Instances": [instance]} for instance in instances]}


PLAN = service_plan(f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge, g5.2xlarge]\n")
GOOD: Answers = {
    **ACCOUNT,
    "dynamodb.Query": claims(),
    "ec2.DescribeSubnets": {
        "Subnets": [{"SubnetId": f"subnet-0{zone[-1]}", "AvailabilityZone": zone} for zone in ZONES]
    },
    "ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", "g5.2xlarge"),
    "ec2.DescribeInstances": running(),
    "service-quotas.GetServiceQuota": quota(64),
}


def asked(answers: Answers, plan: Any = PLAN) -> tuple[Finding, ...]:
    return run_preflight(plan, clients(CannedAws({**GOOD, **answers})), PLACE)


def test_everything_is_well() -> None:
    findings = asked({})
    assert report(findings) == (
        "ok       credentials  account 123456789012 as arn:aws:iam::123456789012:user/ana\n"
        "ok       region       us-east-1\n"
        "ok       run name     yellow-cat-1 is free\n"
        "ok       services     the gateway has 0 of at most 100\n"
        "ok       offers       AWS sells all 2 here: g5.xlarge, g5.2xlarge in us-east-1a, us-east-1b\n"
        "ok       GPU quota    Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1: 64 vCPUs, 0 in use by "
        "others; 2 replicas (1 and 1 more during a roll) of g5.xlarge need 8"
    )
    assert not refuses(findings)


def test_all_problems_are_said_together() -> None:
    findings = asked(
        {
            "dynamodb.Query": claims("yellow-cat-1"),
            "ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", zones=("us-east-1f",)),
            "service-quotas.GetServiceQuota": quota(0),
        }
    )
    assert report([finding for finding in findings if finding.level == "refusal"]) == (
        "REFUSED  run name   the stack organization/servestack/another has the name yellow-cat-1: set another `name` "
        "in the configuration, or destroy that stack; if this stack had that name before, skip preflight once: pulumi "
        "config set preflight false\n"
        "REFUSED  offers     AWS sells none of the offers in us-east-1a, us-east-1b: us-east-1 has some in us-east-1f: "
        "give the gateway a subnet there, or ask for another GPU\n"
        "REFUSED  GPU quota  Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1: 0 vCPUs, 0 in "
        "use by others, so no replica can start: the first g5.xlarge needs 4, and 2 replicas (1 and 1 more during a "
        "roll) of g5.xlarge need 8; ask for 8: aws service-quotas request-service-quota-increase --service-code ec2 "
        "--quota-code L-DB2E81BA --desired-value 8 --region us-east-1"
    )


def test_a_service_without_a_place_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="takes a place"):
        run_preflight(PLAN, clients(CannedAws({})))


def test_the_stacks_own_run_name_is_free_for_it() -> None:
    routed = routing_item(Service(run="yellow-cat-1", host="yellow-cat-1.internal"))
    answer = {"Items": [*claims("yellow-cat-1", owner=PLACE.owner)["Items"], json.loads(routed)]}
    assert one(asked({"dynamodb.Query": answer}), "run name") == (
        "ok",
        "yellow-cat-1 is claimed by organization/servestack/yellow-cat-1, the name of this stack",
    )


def test_a_claim_whose_deployment_was_not_completed_comes_with_the_command_that_deletes_it() -> None:
    answer = {"dynamodb.Query": claims("yellow-cat-1", owner=PLACE.owner)}
    assert one(asked(answer), "run name") == (
        "ok",
        "yellow-cat-1 is claimed by organization/servestack/yellow-cat-1, the name of this stack, and no deployment of "
        "it was completed. If this one fails with ConditionalCheckFailedException, the state of the stack lacks the "
        f"claim (docs/deploying.md): aws dynamodb delete-item --table-name {PLACE.table} --key "
        '\'{"pk": {"S": "registry"}, "sk": {"S": "claim#yellow-cat-1"}}\' --region us-east-1',
    )


MODEL = service_plan(f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge, g5.2xlarge]\nmodel: org/m\n")


def named(*holders: str, shared: bool = False) -> dict[str, Any]:
    """A table in which these runs have the model name."""
    claim = ModelClaim(
        model="org/m",
        holders=[Holder(run=run, owner=f"organization/servestack/{run}") for run in holders],
        shared=shared,
    )
    runs = [claims(run, owner=f"organization/servestack/{run}")["Items"][0] for run in holders]
    return {"dynamodb.Query": {"Items": [*runs, json.loads(model_item(claim))]}}


def test_a_model_name_is_free_or_this_stack_s_or_another_s() -> None:
    assert one(asked({}, MODEL), "model name") == ("ok", "org/m is free")
    assert one(asked(named("yellow-cat-1"), MODEL), "model name") == ("ok", "org/m belongs to this stack")
    assert one(asked(named("other"), MODEL), "model name") == (
        "refusal",
        "org/m is the model name of the run other (stack organization/servestack/other): choose another model.name, "
        "or let the runs share its requests: first pulumi config set weight 1 --stack organization/servestack/other "
        "and pulumi up there, then pulumi config set weight 1 here",
    )
    sharing = dataclasses.replace(MODEL, weight=2)
    assert one(asked(named("other", "third", shared=True), sharing), "model name") == (
        "ok",
        "org/m is shared with other, third",
    )


def test_the_hundred_and_first_service_is_refused_with_the_count() -> None:
    hundred = claims(*(f"run-{number}" for number in range(100)))
    assert one(asked({"dynamodb.Query": hundred}), "services") == (
        "refusal",
        "the gateway has 100 services, and its load balancer takes at most 100: destroy one, or deploy another "
        "gateway with its own domain",
    )


def test_one_of_a_hundred_services_may_be_updated() -> None:
    hundred = claims("yellow-cat-1", *(f"run-{number}" for number in range(99)), owner=PLACE.owner)
    assert one(asked({"dynamodb.Query": hundred}), "services")[0] == "ok"


def test_the_hundredth_service_is_well() -> None:
    answer = {"dynamodb.Query": claims(*(f"run-{number}" for number in range(99)))}
    assert one(asked(answer), "services") == ("ok", "the gateway has 99 of at most 100")


def test_offers_of_which_some_are_sold_here_are_told_apart() -> None:
    assert one(asked({"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", zones=("us-east-1b",))}), "offers") == (
        "ok",
        "AWS sells 1 of 2 here: g5.xlarge in us-east-1b; not g5.2xlarge",
    )
    assert one(asked({"ec2.DescribeInstanceTypeOfferings": sold("g5.2xlarge")}), "offers") == (
        "warning",
        "AWS sells 1 of 2 here: g5.2xlarge in us-east-1a, us-east-1b; not g5.xlarge. The cheapest offer, the first "
        "line of the table, is not available",
    )


def test_offers_that_are_sold_nowhere_in_the_region_are_refused_with_the_nearest_region_that_has_them() -> None:
    regions = ["ap-south-1", "eu-west-1", "us-west-2", "us-east-1", "us-east-2"]
    answers: Answers = {
        "ec2.DescribeRegions": {"Regions": [{"RegionName": name, "OptInStatus": "opted-in"} for name in regions]},
        "ec2.DescribeInstanceTypeOfferings": sold(),
        "ec2@us-east-2.DescribeInstanceTypeOfferings": Refused("UnauthorizedOperation", "no", 403),
        "ec2@us-west-2.DescribeInstanceTypeOfferings": sold("g5.xlarge", zones=("us-west-2a",)),
    }
    assert one(asked(answers), "offers") == (
        "refusal",
        "AWS sells none of the offers in us-east-1a, us-east-1b: us-west-2 has some: deploy a gateway there, or ask "
        "for another GPU",
    )
    everywhere = {**answers, "ec2@us-west-2.DescribeInstanceTypeOfferings": sold()}
    assert one(asked(everywhere), "offers")[1].endswith("ask for another GPU, or deploy a gateway in another region")


def test_many_offers_are_a_line_that_can_be_read() -> None:
    plan = service_plan(f"{WEB}resources: {{gpu: 24GB}}\n")
    kinds = [offer.instance_type for offer in plan.offers]
    some = {
        "InstanceTypeOfferings": [
            *sold(*kinds[:10])["InstanceTypeOfferings"],
            *sold(kinds[10], zones=("us-east-1b",))["InstanceTypeOfferings"],
        ]
    }
    rest = len(kinds) - 11
    assert one(asked({"ec2.DescribeInstanceTypeOfferings": some}, plan), "offers") == (
        "ok",
        f"AWS sells 11 of {len(kinds)} here: {', '.join(kinds[:6])} and 4 more in us-east-1a, us-east-1b; {kinds[10]} "
        f"in us-east-1b; not {', '.join(kinds[11:17])} and {rest - 6} more",
    )


def test_offers_are_looked_for_in_the_zones_that_the_configuration_names() -> None:
    text = f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge]\navailability_zones: [us-east-1b]\n"
    answer = {"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", zones=("us-east-1a",))}
    assert one(asked(answer, service_plan(text)), "offers")[1].startswith(
        "AWS sells none of the offers in us-east-1b: "
    )


def test_what_others_use_of_a_quota_is_taken_off_and_the_services_own_replicas_are_not() -> None:
    """A metal type that the catalog lacks counts by its processors; a spot instance counts towards another quota."""
    there = running(
        {"InstanceType": "g5.xlarge"},
        {"InstanceType": "g4ad.xlarge", "CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 2}},
        {"InstanceType": "g5.48xlarge", "Tags": OWN_TAGS},
        {"InstanceType": "g5.12xlarge", "InstanceLifecycle": "spot"},
        {"InstanceType": "p4d.24xlarge"},
    )
    answers: Answers = {"ec2.DescribeInstances": there, "service-quotas.GetServiceQuota": quota(15)}
    assert one(asked(answers), "GPU quota") == (
        "warning",
        "Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1: 15 vCPUs, 8 in use by others, which is "
        "too few: 2 replicas (1 and 1 more during a roll) of g5.xlarge need 8; ask for 16: aws service-quotas "
        "request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 16 "
        "--region us-east-1",
    )


def test_each_way_of_buying_has_its_own_quota() -> None:
    text = (
        f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge]\nspot_policy: auto\nreplicas: 1..4\n"
        "scaling: {metric: rps, target: 1}\n"
    )

    def by_code(request: Any) -> dict[str, Any]:
        return quota(0 if "L-3819A6DF" in str(request["body"]) else 64)

    findings = asked({"service-quotas.GetServiceQuota": by_code}, service_plan(text))
    found = [(finding.level, finding.message) for finding in findings if finding.topic == "GPU quota"]
    assert found == [
        (
            "ok",
            "Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1: 64 vCPUs, 0 in use by others; "
            "8 replicas (4 and 4 more during a roll) of g5.xlarge, 1 of them on demand, need 4",
        ),
        (
            "warning",
            "All G and VT Spot Instance Requests (L-3819A6DF) in us-east-1: 0 vCPUs, 0 in use by others, which is "
            "too few: 8 replicas (4 and 4 more during a roll) of g5.xlarge, 7 of them spot, need 28; ask for 28: aws "
            "service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF "
            "--desired-value 28 --region us-east-1",
        ),
    ]


def test_another_family_with_room_is_named_where_the_cheapest_has_none() -> None:
    text = f"{WEB}instance_types: [g6e.xlarge, p4d.24xlarge]\n"

    def by_code(request: Any) -> dict[str, Any]:
        return quota(0 if "L-DB2E81BA" in str(request["body"]) else 192)

    level, message = one(asked({"service-quotas.GetServiceQuota": by_code}, service_plan(text)), "GPU quota")
    assert level == "warning"
    assert ", which is too few (p4d.24xlarge of Running On-Demand P instances can start): " in message


def test_what_is_not_bought_by_the_hour_counts_towards_neither_quota() -> None:
    """Capacity Blocks have quotas of their own."""
    block = {"InstanceType": "g5.48xlarge", "InstanceLifecycle": "capacity-block"}
    assert ": 64 vCPUs, 0 in use" in one(asked({"ec2.DescribeInstances": running(block)}), "GPU quota")[1]


GROUPS = """type: service
image: nginx
port: 80
instance_types: [g5.xlarge, g5.12xlarge]
replicas:
- {count: 1, resources: {gpu: A10G}}
- {name: big, count: 1..2, scaling: {metric: rps, target: 1}, resources: {gpu: 'A10G:4'}}
"""


def test_groups_of_replicas_share_the_quota_and_the_first_count_before_the_later() -> None:
    kinds = {"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", "g5.12xlarge")}

    def found(limit: int) -> list[tuple[str, str, str]]:
        findings = asked({**kinds, "service-quotas.GetServiceQuota": quota(limit)}, service_plan(GROUPS))
        return [
            (finding.level, *finding.message.split(": ")[:2]) for finding in findings if finding.topic == "GPU quota"
        ]

    name = "Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1"
    assert found(192 + 8) == [("ok", "group 0", name), ("ok", "group big", name)]
    assert found(192 + 7) == [("ok", "group 0", name), ("warning", "group big", name)]
    assert found(48 + 4) == [("ok", "group 0", name), ("warning", "group big", name)]
    assert found(48 + 3) == [("ok", "group 0", name), ("refusal", "group big", name)]
    big = asked({**kinds, "service-quotas.GetServiceQuota": quota(51)}, service_plan(GROUPS))[-1].message
    assert ": 51 vCPUs, 0 in use by others, 8 for the groups before, so no replica can start: the first g5.12x" in big
    assert "--desired-value 200 " in big


def test_a_group_that_can_sleep_takes_no_room_from_the_first_replicas_of_others() -> None:
    """A request starts its first replica, so a later group that always has one starts before."""
    kinds = {"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", "g5.12xlarge")}
    text = GROUPS.replace("{count: 1,", "{count: 0..1, scaling: {metric: rps, target: 1},")
    findings = asked({**kinds, "service-quotas.GetServiceQuota": quota(48)}, service_plan(text))
    found = [(one.level, one.message.split(": ")[0]) for one in findings if one.topic == "GPU quota"]
    assert found == [("ok", "group 0"), ("warning", "group big")]


def test_a_finding_that_only_one_group_has_names_the_group() -> None:
    findings = asked({"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge")}, service_plan(GROUPS))
    found = [(finding.level, finding.message) for finding in findings if finding.topic == "offers"]
    assert [(level, message.partition(",")[0]) for level, message in found] == [
        ("ok", "group 0: AWS sells 1 of 2 here: g5.xlarge in us-east-1a"),
        ("refusal", "group big: AWS sells none of the offers in us-east-1a"),
    ]
    same = service_plan(GROUPS.replace("'A10G:4'", "A10G"))
    both = {"ec2.DescribeInstanceTypeOfferings": sold("g5.xlarge", "g5.12xlarge")}
    assert [finding.message for finding in asked(both, same) if finding.topic == "offers"] == [
        "AWS sells all 2 here: g5.xlarge, g5.12xlarge in us-east-1a, us-east-1b"
    ]


def test_a_capacity_block_needs_no_quota() -> None:
    reserved = "reservation: cr-0123456789abcdef0\ninstance_types: [p5.48xlarge]\navailability_zones: [us-east-1a]\n"
    block = dataclasses.replace(
        service_plan(f"{WEB}{reserved}"), reservation=Reservation(id="cr-0", capacity_block=True)
    )
    assert needs(service_plan(f"{WEB}{reserved}")) != ()
    assert needs(block) == ()


def test_every_offer_counts_towards_one_quota_of_each_way_of_buying() -> None:
    for bought in ("on-demand", "spot"):
        for instance in read_catalog():
            codes = [one.code for one in quotas() if one.bought == bought and one.covers(instance.name)]
            assert len(codes) == 1, f"{instance.name} {bought}: {codes}"


SPOT = f"{WEB}instance_types: [p5.4xlarge]\nspot_policy: spot\n"


def test_the_newer_p_types_have_a_spot_quota_of_their_own() -> None:
    def by_code(request: Any) -> dict[str, Any]:
        return quota(64 if "L-C4BD4855" in str(request["body"]) else 0)

    level, message = one(asked({"service-quotas.GetServiceQuota": by_code}, service_plan(SPOT)), "GPU quota")
    assert (level, message.partition(":")[0]) == ("ok", "All P5 Spot Instance Requests (L-C4BD4855) in us-east-1")


def test_where_a_region_has_one_spot_quota_for_all_p_types_that_one_is_asked_and_named_as_aws_does() -> None:
    def by_code(request: Any) -> dict[str, Any]:
        if "L-C4BD4855" in str(request["body"]):
            raise unknown_quota()
        return {"Quota": {"QuotaCode": "L-7212CCBC", "QuotaName": "All P Spot Instance Requests", "Value": 8}}

    answers: Answers = {
        "service-quotas.GetServiceQuota": by_code,
        "service-quotas.GetAWSDefaultServiceQuota": Refused("NoSuchResourceException", "no", 400),
        "ec2.DescribeInstances": running({"InstanceType": "p4d.24xlarge", "InstanceLifecycle": "spot"}),
    }
    level, message = one(asked(answers, service_plan(SPOT)), "GPU quota")
    assert level == "refusal"
    assert message.startswith(
        "All P Spot Instance Requests (L-7212CCBC) in us-east-1: 8 vCPUs, 96 in use by others, so no replica can start"
    )
    assert "--quota-code L-7212CCBC --desired-value" in message


def unknown_quota() -> ClientError:
    return ClientError({"Error": {"Code": "NoSuchResourceException", "Message": "no"}}, "GetServiceQuota")


def test_a_quota_that_was_never_changed_is_aws_own() -> None:
    answers: Answers = {
        "service-quotas.GetServiceQuota": Refused("NoSuchResourceException", "The quota does not exist", 400),
        "service-quotas.GetAWSDefaultServiceQuota": quota(64),
    }
    assert one(asked(answers), "GPU quota")[0] == "ok"


def test_a_service_that_never_runs_needs_no_quota() -> None:
    findings = asked({}, service_plan(f"{WEB}resources: {{gpu: A10G}}\nreplicas: 0\n"))
    assert [finding for finding in findings if finding.topic == "GPU quota"] == []


def test_a_gateway_in_another_account_is_refused_before_anything_else_is_asked() -> None:
    """Its table and subnets would not be found, and nothing would say why."""
    identity = {"Account": "210987654321", "Arn": "arn:aws:iam::210987654321:user/ana", "UserId": "A"}
    aws = CannedAws({**GOOD, "sts.GetCallerIdentity": identity})
    findings = run_preflight(PLAN, clients(aws), PLACE)
    assert [(finding.level, finding.message) for finding in findings] == [
        (
            "refusal",
            "account 210987654321 as arn:aws:iam::210987654321:user/ana, but the gateway is in account 123456789012: "
            "use credentials of that account (AWS_PROFILE, or pulumi config set aws:profile NAME), or set another "
            "`gateway`",
        )
    ]
    assert aws.asked == ["sts.GetCallerIdentity"]


def test_a_gateway_that_was_destroyed_by_hand_is_named() -> None:
    answers: Answers = {
        "dynamodb.Query": Refused("ResourceNotFoundException", "Requested resource not found"),
        "ec2.DescribeSubnets": Refused("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0a' does not exist"),
    }
    findings = asked(answers)
    assert one(findings, "run name") == (
        "refusal",
        "the gateway's table gateway-table does not exist any more in us-east-1: deploy the gateway again",
    )
    assert one(findings, "offers") == (
        "refusal",
        "the gateway's subnets do not exist any more in us-east-1 (InvalidSubnetID.NotFound: The subnet ID 'subnet-0a' "
        "does not exist): deploy the gateway again",
    )


def test_zones_that_the_gateway_is_not_in_are_refused_with_its_own() -> None:
    text = f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge]\navailability_zones: [us-east-1f]\n"
    assert one(asked({}, service_plan(text)), "offers") == (
        "refusal",
        "availability_zones names no zone of the gateway's subnets, which are in us-east-1a, us-east-1b: name one of "
        "these, or remove availability_zones",
    )


def test_offers_that_are_sold_nowhere_here_are_refused_also_where_regions_may_not_be_listed() -> None:
    def regions(request: Any) -> dict[str, Any]:
        if "us-east-1" not in str(request["body"]):
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeRegions")
        return dict(ACCOUNT["ec2.DescribeRegions"])  # pyright: ignore[reportArgumentType, reportCallIssue]

    answers: Answers = {"ec2.DescribeInstanceTypeOfferings": sold(), "ec2.DescribeRegions": regions}
    level, message = one(asked(answers), "offers")
    assert level == "refusal"
    assert message.endswith(": ask for another GPU, or deploy a gateway in another region")


def test_credentials_that_are_refused_leave_only_the_hub_to_ask() -> None:
    aws = CannedAws({**GOOD, "sts.GetCallerIdentity": Refused("ExpiredToken", "expired", 403)})
    findings = run_preflight(PLAN, clients(aws), PLACE)
    assert [(finding.level, finding.topic) for finding in findings] == [("refusal", "credentials")]
    assert aws.asked == ["sts.GetCallerIdentity"]


def test_what_the_caller_may_not_ask_is_a_warning() -> None:
    denied = Refused("AccessDeniedException", "User: ana", 403)
    findings = asked({"service-quotas.GetServiceQuota": denied, "dynamodb.Query": denied})
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("warning", "run name"),
        ("ok", "offers"),
        ("warning", "GPU quota"),
    ]
    assert not refuses(findings)
