"""Answers to questions that only an AWS account can answer, and the sentences that tell the reader about them.

The outputs of resources stay unknown, as in a preview. The results of lookups are invented.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import cast

from commands.program_monitor import STACK_REFERENCE, Call, Refused, Registration
from commands.property_values import Properties, PropertyValue
from infra.components.connection import VERSION, ApiTarget, Connection
from infra.planning import PRICES_REGION, GatewayPlan, ServicePlan

DOMAIN = "example.com"
"""Reserved for examples (RFC 2606)."""
ZONES = "abc"
"""The letters of the Availability Zones that each region is assumed to have."""
_ID = "0123456789abcdef0"
_RANGE = "10.0.0.0/16"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
"""How a zone's name begins: `us-east-1` of `us-east-1a`, `us-west-2` of `us-west-2-lax-1a`."""


def assumed_region(plan: ServicePlan | GatewayPlan) -> str:
    """Return the region of a plan, preferably one that has a zone that the plan names. If the plan names no region,
    return the region of the catalog's prices."""
    if isinstance(plan, GatewayPlan):
        return plan.region
    of_zones = [found[0] for zone in plan.availability_zones or () if (found := _REGION.match(zone))]
    regions = plan.regions or of_zones or [PRICES_REGION]
    return next((region for region in of_zones if region in regions), regions[0])


class Assumptions:
    """The answers of the engine and of AWS, for one run of a program. `said`: the assumptions, a sentence each."""

    def __init__(self, plan: ServicePlan | GatewayPlan) -> None:
        self._plan = plan
        self._region = assumed_region(plan)
        self._said: dict[str, None] = {}

    @property
    def said(self) -> tuple[str, ...]:
        return tuple(self._said)

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        """Return no id, and only the inputs as outputs."""
        return None, dict(registration.inputs)

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        """Answer for the stack of a gateway. Programs read nothing else."""
        if type != STACK_REFERENCE:
            raise Refused(f"make plan has no answer for reading {type} {name}: it needs one in {__name__}")
        self._say(
            f"The stack {id} is a gateway in {self._region} with the domain {DOMAIN}. make plan does not read it."
        )
        connection = cast(Properties, asdict(_connection(self._region)))
        return {"name": id, "outputs": {"connection": connection}, "secretOutputNames": []}

    def call(self, call: Call) -> Properties:
        match call.token.rpartition(":")[2]:
            case "getAvailabilityZones":
                return self._zones()
            case "getZone":
                return self._hosted_zone(call.arguments)
            case "getSubnets":
                return self._subnets()
            case (
                "getVpc"
                | "getSubnet"
                | "getRouteTables"
                | "getRouteTable"
                | "getPrefixList"
                | "getVpcEndpoint" as asked
            ):
                return self._network(asked, call.arguments)
            case "getParameter":
                self._say("pulumi up looks up the newest machine image when it deploys the service for the first time.")
                return {**call.arguments, "value": f"ami-{_ID}"}
            case "getAmi":
                return self._image()
            case _:
                raise Refused(f"make plan has no answer for {call.token}: it needs one in {__name__}")

    def _zones(self) -> Properties:
        names = [f"{self._region}{letter}" for letter in ZONES]
        self._say(
            f"{self._region} has {len(names)} Availability Zones. The gateway gets a subnet in each zone of its region."
        )
        return {"names": list[PropertyValue](names), "zoneIds": [], "id": self._region}

    def _hosted_zone(self, asked: Properties) -> Properties:
        plan = self._plan
        name = asked.get("name") or (plan.domain if isinstance(plan, GatewayPlan) else None)
        self._say(f"A public hosted zone for {name} exists.")
        return {"name": name, "zoneId": f"Z{_ID.upper()}", "nameServers": []}

    def _subnets(self) -> Properties:
        """Return the subnets of the VPC that a gateway names, or of a gateway in the zones that a service names."""
        plan = self._plan
        if isinstance(plan, GatewayPlan):
            self._say(f"{plan.vpc_id} and its subnets exist.")
            return {"ids": list[PropertyValue](plan.subnet_ids or ())}
        zones = [zone for zone in plan.availability_zones or () if zone.startswith(self._region)]
        self._say(f"The gateway has a subnet in {', '.join(zones)}.")
        return {"ids": [_subnet(index) for index, _ in enumerate(zones)]}

    def _network(self, asked: str, given: Properties) -> Properties:
        """Return a VPC that suits a gateway: each subnet is in a different zone, and all share one route table."""
        plan = self._plan
        subnets = (isinstance(plan, GatewayPlan) and plan.subnet_ids) or ()
        match asked:
            case "getVpc":
                return {"enableDnsSupport": True, "cidrBlock": _RANGE}
            case "getSubnet":
                letter = chr(ord("a") + subnets.index(str(given["id"])))
                return {"availabilityZone": f"{self._region}{letter}", "availabilityZoneId": "", "cidrBlock": _RANGE}
            case "getRouteTable":
                return {"routes": [{"cidrBlock": "0.0.0.0/0"}]}
            case "getPrefixList":
                return {"id": f"pl-{_ID}"}
            case "getRouteTables" if "route.destination-prefix-list-id" not in str(given.get("filters")):
                return {"ids": [f"rtb-{_ID}"]}
            case "getRouteTables":
                none = "The route tables of the subnets have no endpoint for DynamoDB"
                self._say(f"{none}. If they have one, pulumi up uses it and creates none.")
                return {"ids": []}
            case _:
                raise Refused("no matching EC2 VPC Endpoint found")

    def _image(self) -> Properties:
        """Return a pinned machine image like one of Amazon Linux."""
        plan = self._plan
        pinned = plan.ami if isinstance(plan, ServicePlan) else None
        self._say(f"The machine image {pinned} exists and suits the replicas.")
        return {
            "architecture": "x86_64",
            "rootDeviceType": "ebs",
            "rootDeviceName": "/dev/xvda",
            "virtualizationType": "hvm",
            "blockDeviceMappings": [],
        }

    def _say(self, sentence: str) -> None:
        self._said[sentence] = None


def _connection(region: str) -> Connection:
    """A gateway as `make plan` imagines it: everything is there, and nothing of it exists."""
    balancer = f"app/gateway/{_ID[:16]}"
    return Connection(
        version=VERSION,
        region=region,
        domain=DOMAIN,
        vpc_id=f"vpc-{_ID}",
        subnet_ids=[_subnet(index) for index, _ in enumerate(ZONES)],
        listener_arn=f"arn:aws:elasticloadbalancing:{region}:123456789012:listener/{balancer}/{_ID[:16]}",
        alb_arn_suffix=balancer,
        alb_security_group=f"sg-{_ID}",
        table="gateway-registry",
        zone_id=f"Z{_ID.upper()}",
        api_target=ApiTarget(
            url=f"https://gateway.{DOMAIN}", name=f"d-example.execute-api.{region}.amazonaws.com", zone_id="ZEXAMPLE"
        ),
        auth=True,
        files_bucket="servestack-gateway-files",
    )


def _subnet(index: int) -> str:
    return f"subnet-{index:017x}"
