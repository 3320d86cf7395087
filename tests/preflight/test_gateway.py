"""What is asked about a gateway, and what is said to each answer."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, SSOTokenLoadError

from infra.preflight import Finding, asking, function, real_clients, refuses, report, run_preflight
from infra.preflight.finding import ok
from tests.preflight.canned import ACCOUNT, Answers, CannedAws, Refused
from tests.preflight.plans import clients, gateway_plan, one

LAYER = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerArm64:30"
SERVERS = ["ns-1.awsdns-1.com", "ns-2.awsdns-2.net", "ns-3.awsdns-3.org", "ns-4.awsdns-4.co.uk"]
ZONE: dict[str, Any] = {"Id": "/hostedzone/Z0123456789", "Name": "example.com.", "CallerReference": "1"}
GOOD: Answers = {
    **ACCOUNT,
    "route53.ListHostedZones": {"HostedZones": [ZONE], "Marker": "", "IsTruncated": False, "MaxItems": "100"},
    "route53.GetHostedZone": {"HostedZone": ZONE, "DelegationSet": {"NameServers": SERVERS}},
    "apigateway.GetDomainName": Refused("NotFoundException", "Invalid domain name identifier specified", 404),
    "route53.ListResourceRecordSets": {
        "ResourceRecordSets": [
            {
                "Name": "example.com.",
                "Type": "NS",
                "TTL": 300,
                "ResourceRecords": [{"Value": f"{one}."} for one in SERVERS],
            }
        ],
        "IsTruncated": False,
        "MaxItems": "1",
    },
    "lambda.GetAccountSettings": {
        "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    },
    "lambda.GetLayerVersionByArn": {"LayerVersionArn": LAYER, "CompatibleArchitectures": ["arm64"]},
}
REMEDY = f"set the name servers of example.com at its registrar, or in the zone above it, to {', '.join(SERVERS)}"
SPLIT = "if only this machine's network sees other name servers, skip preflight: pulumi config set preflight false"


def asked(
    answers: Answers, *, servers: Any = SERVERS, inside: Any = (), zone: str = "example.com", **said: Any
) -> tuple[Finding, ...]:
    """With the name servers that the world sees for the zone, and for every domain inside it."""
    given = clients(CannedAws({**GOOD, **answers}), name_servers=lambda domain: servers if domain == zone else inside)
    return run_preflight(gateway_plan(**said), given)


def test_dns_is_not_asked_about_the_zones_of_another_aws() -> None:
    real = real_clients({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    assert (real.name_servers("example.com"), real.caa("example.com")) == ("elsewhere", None)
    (found,) = [one for one in asked({}, servers="elsewhere", inside="elsewhere") if one.topic == "delegation"]
    assert found == ok("delegation", "not asked: AWS_ENDPOINT_URL names an AWS whose zones are in no public DNS")


def test_everything_is_well() -> None:
    findings = asked({})
    assert report(findings) == (
        "ok       credentials         account 123456789012 as arn:aws:iam::123456789012:user/ana\n"
        "ok       region              us-east-1\n"
        "ok       hosted zone         example.com (Z0123456789) holds gpu.example.com\n"
        "ok       delegation          the name servers of example.com point to the zone Z0123456789\n"
        "ok       domain              *.gpu.example.com is free in this account\n"
        "ok       Lambda concurrency  1000 function instances can run at once, each with one request\n"
        f"ok       adapter layer       {LAYER}"
    )
    assert not refuses(findings)


def test_all_problems_are_said_together() -> None:
    findings = asked(
        {
            "route53.ListHostedZones": {"HostedZones": [], "Marker": "", "IsTruncated": False, "MaxItems": "100"},
            "lambda.GetAccountSettings": {
                "AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
            },
            "lambda.GetLayerVersionByArn": Refused("AccessDeniedException", "no resource-based policy allows it", 403),
        }
    )
    assert report(findings) == (
        "ok       credentials         account 123456789012 as arn:aws:iam::123456789012:user/ana\n"
        "ok       region              us-east-1\n"
        "ok       domain              *.gpu.example.com is free in this account\n"
        "WARNING  Lambda concurrency  10 function instances can run at once. A request takes one until its answer has "
        "ended, and one request more gets 500: ask for 1000 (quota Concurrent executions, L-B99A9384): aws "
        "service-quotas "
        "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000 "
        "--region us-east-1\n"
        "REFUSED  hosted zone         this account has no public hosted zone that holds gpu.example.com (looked for "
        "gpu.example.com, example.com): create one in Route 53 and point the domain's name servers to it, or set "
        "zone_id\n"
        f"REFUSED  adapter layer       {LAYER} cannot be read (AccessDeniedException: no resource-based "
        "policy allows it): "
        "set adapter_layer to a copy of your own, or allow lambda:GetLayerVersion, which creating the function needs "
        "too"
    )
    assert refuses(findings)


def test_a_gateway_without_a_domain_asks_nothing_about_one() -> None:
    assert [finding.topic for finding in asked({}, domain=None)] == [
        "credentials",
        "region",
        "Lambda concurrency",
        "adapter layer",
    ]


def test_a_topic_that_these_credentials_may_not_see_is_a_warning() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:on-call"
    denied = {"sns.GetTopicAttributes": Refused("AuthorizationError", "User is not authorized", 403)}
    level, message = one(asked(denied, alarm_topic=topic), "alarm topic")
    assert (level, message) == (
        "warning",
        "not checked: these credentials are not allowed to ask (AuthorizationError: User is not authorized)",
    )


def test_with_preflight_off_nothing_is_asked() -> None:
    aws = CannedAws({})
    assert (run_preflight(gateway_plan(preflight=False), clients(aws)), aws.asked) == ((), [])


CREDENTIALS = [
    (
        Refused("ExpiredToken", "The security token included in the request is expired", 403),
        "the AWS credentials have expired (ExpiredToken): run aws sso login, or export new ones",
    ),
    (
        NoCredentialsError(),
        "there are no AWS credentials (NoCredentialsError: Unable to locate credentials): run aws configure, or export "
        "AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (
        Refused("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
        "AWS does not accept the credentials (InvalidClientTokenId: The security token included in the request is "
        "invalid.): check for a revoked or mistyped key, a wrong clock, or a region that the account has not "
        "enabled",
    ),
    (
        Refused("SignatureDoesNotMatch", "Signature expired: 20261123T0000Z is now earlier than 20261123T0100Z", 403),
        "this machine's clock is wrong, AWS says (SignatureDoesNotMatch: Signature expired: 20261123T0000Z is now "
        "earlier "
        "than 20261123T0100Z): set it from a time server",
    ),
    (
        SSOTokenLoadError(error_msg="Token for work does not exist"),
        "the AWS profile is not logged in, or its login has expired (SSOTokenLoadError: Error loading SSO Token: "
        "Token for "
        "work does not exist): run aws sso login or aws login with that profile",
    ),
    (
        EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
        "AWS cannot be reached (EndpointConnectionError: Could not connect to the endpoint URL: "
        '"https://sts.us-east-1.amazonaws.com/"): check the network, then try again',
    ),
]


@pytest.mark.parametrize(
    ("answer", "message"), CREDENTIALS, ids=["expired", "none", "unknown", "clock", "logged out", "no network"]
)
def test_where_the_credentials_are_refused_nothing_else_is_asked(answer: Any, message: str) -> None:
    aws = CannedAws({**GOOD, "sts.GetCallerIdentity": answer})
    findings = run_preflight(gateway_plan(), clients(aws))
    assert findings == (Finding(level="refusal", topic="credentials", message=message),)
    assert aws.asked == ["sts.GetCallerIdentity"]


def test_a_region_that_does_not_exist_is_refused_with_the_nearest() -> None:
    assert asked({}, region="us-east-7") == (
        Finding(
            level="refusal",
            topic="region",
            message="boto3 does not know a region us-east-7: did you mean us-east-2? Otherwise set another `region`",
        ),
    )


def test_a_region_that_the_account_has_not_enabled_is_refused_with_the_command() -> None:
    answer = {"Regions": [{"RegionName": "af-south-1", "OptInStatus": "not-opted-in"}]}
    assert one(asked({"ec2.DescribeRegions": answer}, region="af-south-1"), "region") == (
        "refusal",
        "the account has not enabled af-south-1: run aws account enable-region --region-name af-south-1",
    )


def zones(*found: dict[str, Any]) -> dict[str, Any]:
    return {"HostedZones": list(found), "Marker": "", "IsTruncated": False, "MaxItems": "100"}


def test_the_zone_of_the_longest_suffix_holds_the_domain() -> None:
    longer = {"Id": "/hostedzone/Z9", "Name": "gpu.example.com.", "CallerReference": "2"}
    answer: Answers = {
        "route53.ListHostedZones": zones(ZONE, longer),
        "route53.GetHostedZone": {"HostedZone": longer, "DelegationSet": {"NameServers": SERVERS}},
    }
    findings = asked(answer, zone="gpu.example.com")
    assert one(findings, "hosted zone") == ("ok", "gpu.example.com (Z9) holds gpu.example.com")
    assert one(findings, "delegation") == ("ok", "the name servers of gpu.example.com point to the zone Z9")


def test_a_private_zone_and_one_of_another_domain_with_the_same_end_hold_nothing() -> None:
    private = {**ZONE, "Config": {"PrivateZone": True}}
    other = {"Id": "/hostedzone/Z9", "Name": "ple.com.", "CallerReference": "2"}
    assert one(asked({"route53.ListHostedZones": zones(private, other)}), "hosted zone")[0] == "refusal"


def test_two_zones_of_one_name_are_refused_with_both_ids() -> None:
    twin = {**ZONE, "Id": "/hostedzone/Z9"}
    assert one(asked({"route53.ListHostedZones": zones(ZONE, twin)}), "hosted zone") == (
        "refusal",
        "this account has 2 public hosted zones for example.com (Z0123456789, Z9): set zone_id to the one that the "
        "domain's name servers point to",
    )


def test_zones_are_read_page_by_page() -> None:
    def page(request: Any) -> dict[str, Any]:
        if "marker" in str(request["query"]).lower() or "marker" in str(request["path"]).lower():
            return zones(ZONE)
        return {**zones(), "IsTruncated": True, "NextMarker": "Z0123456789"}

    assert one(asked({"route53.ListHostedZones": page}), "hosted zone")[0] == "ok"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Refused("NoSuchHostedZone", "No hosted zone found", 404),
            "this account has no hosted zone Z00000000: correct zone_id, or remove it",
        ),
        (
            {"HostedZone": {**ZONE, "Name": "other.org."}},
            "Z00000000 is the zone of other.org, which does not hold gpu.example.com: set zone_id to the zone that "
            "does, or remove zone_id",
        ),
        (
            {"HostedZone": {**ZONE, "Config": {"PrivateZone": True}}},
            "Z00000000 is a private zone, which clients cannot see: set zone_id to a public one",
        ),
    ],
)
def test_a_zone_that_is_given_and_wrong_is_refused(answer: Any, message: str) -> None:
    findings = asked({"route53.GetHostedZone": answer}, zone_id="Z00000000")
    assert one(findings, "hosted zone") == ("refusal", message)


@pytest.mark.parametrize(
    ("servers", "level", "message"),
    [
        (
            None,
            "warning",
            f"not checked: DNS does not answer. If not done yet, {REMEDY}",
        ),
        (
            [],
            "refusal",
            f"example.com has no name servers, so no certificate can be validated: {REMEDY}; {SPLIT}",
        ),
        (
            ["b.iana-servers.net", "a.iana-servers.net"],
            "refusal",
            "the name servers of example.com are a.iana-servers.net, b.iana-servers.net, not those of the zone "
            f"Z0123456789, so no certificate can be validated: {REMEDY}; {SPLIT}",
        ),
        (
            "failed",
            "warning",
            "no server answers for example.com (SERVFAIL). Most often its name servers are those of a deleted zone: "
            f"{REMEDY}",
        ),
        (
            [SERVERS[0], "ns.old.example"],
            "warning",
            f"the name servers of example.com are ns-1.awsdns-1.com, ns.old.example, but only some of them are those "
            f"of the zone Z0123456789: {REMEDY}",
        ),
        (
            [server.upper() + "." for server in SERVERS],
            "ok",
            "the name servers of example.com point to the zone Z0123456789",
        ),
    ],
)
def test_delegation_is_what_the_world_sees(servers: list[str] | None, level: str, message: str) -> None:
    assert one(asked({}, servers=servers), "delegation") == (level, message)


def test_a_zone_with_name_servers_under_its_owners_names_is_led_to() -> None:
    own = [{"Value": "ns1.example.com."}, {"Value": "ns2.example.com."}]
    records = {"Name": "example.com.", "Type": "NS", "TTL": 300, "ResourceRecords": own}
    answer = {"ResourceRecordSets": [records], "IsTruncated": False, "MaxItems": "1"}
    findings = asked({"route53.ListResourceRecordSets": answer}, servers=["ns2.example.com", "ns1.example.com"])
    assert one(findings, "delegation") == ("ok", "the name servers of example.com point to the zone Z0123456789")


def test_a_delegation_inside_the_zone_that_leads_the_domain_out_of_it_is_refused() -> None:
    """The records that the gateway writes would be seen by nobody."""
    findings = asked({}, inside=["NS.elsewhere.org."])
    assert [(finding.level, finding.message) for finding in findings if finding.topic == "delegation"] == [
        ("ok", "the name servers of example.com point to the zone Z0123456789"),
        (
            "refusal",
            "the name servers of gpu.example.com are ns.elsewhere.org, not those of the zone example.com: set zone_id "
            "to the zone "
            f"of gpu.example.com, or remove its NS records from example.com; {SPLIT}",
        ),
    ]
    assert one(asked({}, inside="failed"), "delegation")[0] == "ok"


OWN = "arn:aws:lambda:us-east-1:123456789012:function:gateway-function-0123456"


def limits(all_of_it: int, free: int) -> Answers:
    return {
        "lambda.GetAccountSettings": {
            "AccountLimit": {"ConcurrentExecutions": all_of_it, "UnreservedConcurrentExecutions": free}
        }
    }


def test_what_can_be_reserved_is_said_with_what_stays() -> None:
    assert one(asked(limits(1000, 900), reserved_concurrency=800), "Lambda concurrency") == (
        "ok",
        "800 are reserved for the gateway, which is its limit of requests at once; 100 of the account's 1000 stay for "
        "other functions",
    )


@pytest.mark.parametrize(
    ("all_of_it", "free", "most", "others", "remedy", "asked_for"),
    [
        (1000, 900, 800, 100, "set reserved_concurrency to 800 or less", 1001),
        (10, 10, 0, 0, "remove reserved_concurrency", 901),
    ],
)
def test_what_cannot_be_reserved_is_refused(
    all_of_it: int, free: int, most: int, others: int, remedy: str, asked_for: int
) -> None:
    none = {"resourcegroupstaggingapi.GetResources": {"ResourceTagMappingList": []}}
    found = one(asked({**limits(all_of_it, free), **none}, reserved_concurrency=801), "Lambda concurrency")
    assert found == (
        "refusal",
        f"reserved_concurrency is 801, but at most {most} can be reserved: the account runs {all_of_it} function "
        f"instances at once, others reserve {others}, and 100 must stay unreserved; {remedy}, release other "
        f"reservations, or ask for {asked_for} (quota Concurrent executions, L-B99A9384): aws service-quotas "
        f"request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value {asked_for} "
        "--region us-east-1",
    )


def test_what_the_stack_has_reserved_already_is_not_taken_for_somebody_else_s() -> None:
    questions: list[Any] = []

    def own(question: Any) -> dict[str, Any]:
        questions.append(question)
        return {"ResourceTagMappingList": [{"ResourceARN": OWN}]}

    answers: Answers = {
        **GOOD,
        **limits(1000, 100),
        "resourcegroupstaggingapi.GetResources": own,
        "lambda.GetFunctionConcurrency": {"ReservedConcurrentExecutions": 900},
    }
    findings = run_preflight(gateway_plan(reserved_concurrency=900), clients(CannedAws(answers)), owner="o/p/gateway")
    assert one(findings, "Lambda concurrency")[0] == "ok"
    (question,) = questions
    assert json.loads(question["body"]) == {
        "TagFilters": [{"Key": "servestack:stack", "Values": ["o/p/gateway"]}],
        "ResourceTypeFilters": ["lambda:function"],
    }


def test_no_function_at_all_is_refused() -> None:
    level, message = one(asked(limits(10, 0)), "Lambda concurrency")
    assert (level, message.partition(":")[0]) == (
        "refusal",
        "0 function instances can run at once; the account has 10, and the others are reserved, so no request would "
        "be answered",
    )


def test_a_layer_for_another_processor_is_refused() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:adapter:1"
    answer = {"LayerVersionArn": arn, "CompatibleArchitectures": ["x86_64"]}
    assert one(asked({"lambda.GetLayerVersionByArn": answer}, adapter_layer=arn), "adapter layer") == (
        "refusal",
        f"{arn} is for x86_64, but the function runs on arm64: set adapter_layer to one for arm64",
    )


def test_a_layer_that_does_not_exist_is_refused() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:adapter:1"
    answer = Refused("ResourceNotFoundException", "The resource you requested does not exist.", 404)
    assert one(asked({"lambda.GetLayerVersionByArn": answer}, adapter_layer=arn), "adapter layer") == (
        "refusal",
        f"{arn} cannot be read (ResourceNotFoundException: The resource you requested does not exist.): correct "
        "adapter_layer",
    )


def test_of_a_layer_an_account_that_may_not_use_lambda_yet_says_nothing() -> None:
    answer = Refused("SubscriptionRequiredException", "no", 400)
    assert one(asked({"lambda.GetLayerVersionByArn": answer}), "adapter layer") == (
        "warning",
        "not checked: AWS refuses the question (SubscriptionRequiredException: no)",
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Refused("AccessDenied", "User: ana", 403),
            "not checked: these credentials are not allowed to ask (AccessDenied: User: ana)",
        ),
        (
            Refused("Throttling", "Rate exceeded"),
            "not checked: AWS does not answer (Throttling: Rate exceeded)",
        ),
    ],
)
def test_what_aws_does_not_answer_is_a_warning_and_the_rest_goes_on(answer: Refused, message: str) -> None:
    findings = asked({"route53.ListHostedZones": answer, "lambda.GetAccountSettings": answer})
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("warning", "hosted zone"),
        ("warning", "CAA record"),
        ("ok", "domain"),
        ("warning", "gateway's name"),
        ("warning", "Lambda concurrency"),
        ("ok", "adapter layer"),
    ]
    assert one(findings, "hosted zone")[1] == message


def test_an_answer_that_aws_would_not_give_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from something between here and AWS."""

    def misunderstood(*_: object) -> list[Finding]:
        raise KeyError("AccountLimit")

    monkeypatch.setattr(function, "check_concurrency", misunderstood)
    assert one(asked({}), "Lambda concurrency") == (
        "warning",
        "not checked: the answer is not one that AWS gives (KeyError)",
    )


def test_a_question_without_an_answer_is_given_up_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked by itself: of a gateway's, none waits for the resolvers."""
    released = threading.Event()
    waiting: list[threading.Thread] = []
    allowed: list[float | None] = []

    def silent(domain: str) -> None:
        waiting.append(threading.current_thread())
        released.wait(100)

    class Timed(threading.Thread):
        """The time is over for the thread that waits for the resolvers, and for no other, however slow they are."""

        def join(self, timeout: float | None = None) -> None:
            allowed.append(timeout)
            while self.is_alive() and self not in waiting:
                super().join(0.02)

    monkeypatch.setattr(asking, "Thread", Timed)
    given = clients(CannedAws(GOOD), name_servers=silent)
    findings = run_preflight(gateway_plan(), given, patience=3)
    released.set()
    assert all(seconds is not None and 0 <= seconds <= 3 for seconds in allowed)
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("warning", "hosted zone"),
        ("ok", "domain"),
        ("ok", "Lambda concurrency"),
        ("ok", "adapter layer"),
    ]
    assert one(findings, "hosted zone")[1] == "not checked: no answer in time"


def test_where_nobody_says_who_asks_nothing_else_is_asked() -> None:
    """As where a profile's program waits for somebody to touch a key."""
    released = threading.Event()

    def silent(service: str, region: str) -> None:
        released.wait(30)

    findings = run_preflight(gateway_plan(), clients(silent), patience=0.05)
    released.set()
    assert findings == (
        Finding(
            level="refusal",
            topic="credentials",
            message="no answer in time: check the network, and the program that gives the credentials",
        ),
    )


def test_credentials_that_expire_meanwhile_are_refused_where_they_were_needed() -> None:
    findings = asked({"route53.ListHostedZones": Refused("ExpiredTokenException", "expired", 403)})
    assert one(findings, "hosted zone") == (
        "refusal",
        "the AWS credentials have expired (ExpiredTokenException): run aws sso login, or export new ones",
    )
