"""What a program is told where only an account would know, and which of it a reader should hear about.

What a resource turns out to be stays unknown, as in a preview; what is looked up is made up.
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
"""Kept free for examples (RFC 2606)."""
ZONES = "abc"
"""Letters of Availability Zones that every region of AWS may be thought to have."""
_ID = "0123456789abcdef0"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
"""How a zone's name begins: `us-east-1` of `us-east-1a`, `us-west-2` of `us-west-2-lax-1a`."""


def assumed_region(plan: ServicePlan | GatewayPlan) -> str:
    """The region that a plan names, where it has a zone of those that the plan names too; that of the catalog's prices
    where it names none."""
    if isinstance(plan, GatewayPlan):
        return plan.region
    of_zones = [found[0] for zone in plan.availability_zones or () if (found := _REGION.match(zone))]
    regions = plan.regions or of_zones or [PRICES_REGION]
    return next((region for region in of_zones if region in regions), regions[0])


class Assumptions:
    """The engine's and AWS's answers, for one run of a program. `said`: what was assumed, a sentence each."""

    def __init__(self, plan: ServicePlan | GatewayPlan) -> None:
        self._plan = plan
        self._region = assumed_region(plan)
        self._said: dict[str, None] = {}

    @property
    def said(self) -> tuple[str, ...]:
        return tuple(self._said)

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        """No id, and no output but the inputs."""
        return None, dict(registration.inputs)

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        """A gateway's stack; there is nothing else that a program reads."""
        if type != STACK_REFERENCE:
            raise Refused(f"make plan has no answer for reading {type} {name}: it needs one in {__name__}")
        self._say(
            f"The gateway, stack {id}, is not looked at: one in {self._region} with the domain {DOMAIN} is assumed."
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
                self._say("The machine image is the newest when the service is deployed; it is not looked up here.")
                return {**call.arguments, "value": f"ami-{_ID}"}
            case "getAmi":
                return self._image()
            case _:
                raise Refused(f"make plan has no answer for {call.token}: it needs one in {__name__}")

    def _zones(self) -> Properties:
        names = [f"{self._region}{letter}" for letter in ZONES]
        self._say(
            f"{self._region} is taken to have {len(names)} Availability Zones; there is a subnet for each that it has."
        )
        return {"names": list[PropertyValue](names), "zoneIds": [], "id": self._region}

    def _hosted_zone(self, asked: Properties) -> Properties:
        plan = self._plan
        name = asked.get("name") or (plan.domain if isinstance(plan, GatewayPlan) else None)
        self._say(f"A public hosted zone that holds {name} is taken to be there.")
        return {"name": name, "zoneId": f"Z{_ID.upper()}", "nameServers": []}

    def _subnets(self) -> Properties:
        """Those of the VPC that a gateway names, or those of a gateway in the zones that a service names."""
        plan = self._plan
        if isinstance(plan, GatewayPlan):
            self._say(f"{plan.vpc_id} and its subnets are taken to be there.")
            return {"ids": list[PropertyValue](plan.subnet_ids or ())}
        zones = [zone for zone in plan.availability_zones or () if zone.startswith(self._region)]
        self._say(f"The gateway is taken to have a subnet in {', '.join(zones)}.")
        return {"ids": [_subnet(index) for index, _ in enumerate(zones)]}

    def _network(self, asked: str, given: Properties) -> Properties:
        """A VPC that suits a gateway: its subnets are each in a zone of their own, and share a route table."""
        plan = self._plan
        subnets = (isinstance(plan, GatewayPlan) and plan.subnet_ids) or ()
        match asked:
            case "getVpc":
                return {"enableDnsSupport": True}
            case "getSubnet":
                letter = chr(ord("a") + subnets.index(str(given["id"])))
                return {"availabilityZone": f"{self._region}{letter}", "availabilityZoneId": ""}
            case "getRouteTable":
                return {"routes": [{"cidrBlock": "0.0.0.0/0"}]}
            case "getPrefixList":
                return {"id": f"pl-{_ID}"}
            case "getRouteTables" if "route.destination-prefix-list-id" not in str(given.get("filters")):
                return {"ids": [f"rtb-{_ID}"]}
            case "getRouteTables":
                none = "No endpoint for DynamoDB is taken to be in the subnets' route tables"
                self._say(f"{none}; one that is, is used instead.")
                return {"ids": []}
            case _:
                raise Refused("no matching EC2 VPC Endpoint found")

    def _image(self) -> Properties:
        """A pinned machine image, as one of Amazon Linux is."""
        plan = self._plan
        pinned = plan.ami if isinstance(plan, ServicePlan) else None
        self._say(f"The machine image {pinned} is not looked at: it is taken to be there, and to suit.")
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
    )


def _subnet(index: int) -> str:
    return f"subnet-{index:017x}"
