"""The little of AWS that dynamic resources ask by HTTP (AWS_ENDPOINT_URL), answered from what the stand-in has.

Each Auto Scaling group has as many replicas as it wants. They serve, until a test says why they do not (`cause`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.aws.standin import Cloud

_GROUP = "aws:autoscaling/group:Group"
_INSTANCE = "i-00000000000000001"


class Asked:
    """A server on loopback, and what it was asked to change."""

    def __init__(self, account: Callable[[], Cloud]) -> None:
        self.account = account
        self.cause: str | None = None
        """What keeps every replica from serving."""
        self.actions: list[str] = []
        """Names of all that was asked, in order: `autoscaling:UpdateAutoScalingGroup MinSize=0 DesiredCapacity=0`."""
        self.capacity: dict[str, tuple[int, int]] = {}
        """Minimum and desired capacity of groups where someone set them."""
        self.written: dict[tuple[str, str], Mapping[str, Any]] = {}
        """What dynamic resources wrote into tables, by table and sort key."""
        self.writes: list[tuple[str, str, int]] = []
        """(`PutItem`, sort key, how much had happened in the account) of each write that was taken."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def write(self, target: str, asked: Mapping[str, Any]) -> bool:
        """PutItem or DeleteItem on one of the conditions that are used; whether it holds."""
        sort = (asked["Item"] if target == "PutItem" else asked["Key"])["sk"]["S"]
        key = (asked["TableName"], sort)
        if asked["ConditionExpression"] == "attribute_not_exists(pk)":
            holds = key not in self.written
        else:
            assert asked["ConditionExpression"] == "#record = :before"
            holds = self.written.get(key, {}).get("record") == asked["ExpressionAttributeValues"][":before"]
        if holds and target == "PutItem":
            self.written[key] = asked["Item"]
        elif holds:
            del self.written[key]
        if holds:
            self.writes.append((target, sort, len(self.account().records.history)))
        return holds

    def of_dynamodb(self, query: Mapping[str, Any]) -> Mapping[str, Any]:
        """Items of a table by partition, of those that begin with a sort key where one is asked for."""
        partition, *sort = (next(iter(value.values())) for value in query["ExpressionAttributeValues"].values())
        if partition.startswith("state#"):
            items = [] if self.cause is None else [_state(partition, self.cause)]
        else:
            made = self.account().records.of("aws:dynamodb/tableItem:TableItem")
            there = [
                *(json.loads(one.inputs["item"]) for one in made if one.inputs["tableName"] == query["TableName"]),
                *(item for (table, _), item in self.written.items() if table == query["TableName"]),
            ]
            items = [
                item for item in there if item["pk"]["S"] == partition and item["sk"]["S"].startswith("".join(sort))
            ]
        items.sort(key=lambda item: item["sk"]["S"])
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def of_query(self, form: Mapping[str, str]) -> str:
        """The result of an action of the services that speak XML."""
        match form["Action"]:
            case "DescribeAutoScalingGroups":
                return self._group(form["AutoScalingGroupNames.member.1"])
            case "UpdateAutoScalingGroup":
                name = form["AutoScalingGroupName"]
                self.capacity[name] = (int(form["MinSize"]), int(form["DesiredCapacity"]))
                return ""
            case "DescribeTargetHealth":
                state = "healthy" if self.cause is None else "unhealthy"
                health = f"<Target><Id>{_INSTANCE}</Id></Target><TargetHealth><State>{state}</State></TargetHealth>"
                return f"<TargetHealthDescriptions><member>{health}</member></TargetHealthDescriptions>"
            case "DescribeScalingActivities":
                return "<Activities/>"
            case "DescribeInstanceRefreshes":
                return "<InstanceRefreshes/>"
            case _:
                return ""

    def _group(self, name: str) -> str:
        account = self.account()
        group = account.records.find(_GROUP, "name", name)
        if group is None:
            return "<AutoScalingGroups/>"
        minimum, desired = self.capacity.get(name, (group.inputs["minSize"], group.inputs["minSize"]))
        wanted = group.inputs["mixedInstancesPolicy"]["launchTemplate"]["launchTemplateSpecification"]
        template = (
            f"<LaunchTemplateId>{wanted['launchTemplateId']}</LaunchTemplateId><Version>{wanted['version']}</Version>"
        )
        instance = (
            f"<member><InstanceId>{_INSTANCE}</InstanceId><InstanceType>g6.xlarge</InstanceType>"
            f"<AvailabilityZone>us-east-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>"
            f"<LaunchTemplate>{template}</LaunchTemplate></member>"
        )
        return (
            f"<AutoScalingGroups><member><AutoScalingGroupName>{escape(name)}</AutoScalingGroupName>"
            f"<MinSize>{minimum}</MinSize><MaxSize>{group.inputs['maxSize']}</MaxSize>"
            f"<DesiredCapacity>{desired}</DesiredCapacity><Instances>{instance if desired else ''}</Instances>"
            f"</member></AutoScalingGroups>"
        )


def _state(run: str, cause: str) -> Mapping[str, Any]:
    """What a replica says of itself when nothing can help it."""
    said = {"pk": run, "sk": _INSTANCE, "step": "pulling the image", "cause": cause}
    return {**{name: {"S": value} for name, value in said.items()}, "final": {"BOOL": True}}


def _handler(asked: Asked) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            target = self.headers.get("x-amz-target")
            if target is not None:
                name = target.rpartition(".")[2]
                asked.actions.append(f"dynamodb:{name}")
                if name == "Query":
                    self._answer("application/x-amz-json-1.0", json.dumps(asked.of_dynamodb(json.loads(body))))
                elif asked.write(name, json.loads(body)):
                    self._answer("application/x-amz-json-1.0", "{}")
                else:
                    refused = json.dumps({"__type": "ConditionalCheckFailedException", "message": "said"})
                    self._answer("application/x-amz-json-1.0", refused, 400)
                return
            form = dict(parse_qsl(body))
            action = form["Action"]
            asked.actions.append(action)
            if action == "DescribeInstances":
                answer = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
            else:
                answer = f"<{action}Response><{action}Result>{asked.of_query(form)}</{action}Result></{action}Response>"
            self._answer("text/xml", answer)

        def _answer(self, kind: str, body: str, status: int = 200) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
