"""What the dashboards show: each graph of each widget, as the text of the dashboard has it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.planning.dashboard import dashboard_name, dashboard_url, gateway_widgets, service_widgets
from infra.planning.metrics import MODEL_METRICS, REPLICA_METRICS, REQUEST_METRICS
from infra.planning.widgets import Widget, body
from tests.preflight.plans import WEB, gateway_plan, service_plan

NAMES = {
    "table": "gateway-table-1",
    "run": "cat",
    "group": "cat-replicas-1",
    "balancer": "app/gateway/1",
    "target_group": "targetgroup/cat/1",
    "function": "gateway-function-1",
    "api": "gateway-api-1",
    "stage": "live",
}
TGI = "type: service\nimage: tgi\nport: 80\nmodel: {name: m, format: openai}\nresources: {gpu: 24GB}\n"
RUN = "Table=gateway-table-1 Run=cat"
GROUP, TARGETS = "AutoScalingGroupName=cat-replicas-1", "LoadBalancer=app/gateway/1 TargetGroup=targetgroup/cat/1"
FUNCTION, API = "FunctionName=gateway-function-1", "ApiName=gateway-api-1 Stage=live"


def shown(widgets: tuple[Widget, ...]) -> dict[str, list[str]]:
    """The graphs of each widget by its title: `namespace metric dimensions stat: label`, or `expression: label`."""
    read = json.loads(body(widgets, names=NAMES, region="us-east-1"))
    return {
        widget["properties"]["title"]: [_said(graph) for graph in widget["properties"]["metrics"]]
        for widget in read["widgets"]
    }


def _said(graph: list[Any]) -> str:
    *names, options = graph
    label = options.get("label", "not shown")
    if not names:
        return f"{options['expression']}: {label}"
    dimensions = " ".join(f"{name}={value}" for name, value in zip(names[2::2], names[3::2], strict=True))
    return f"{names[0]} {names[1]} {dimensions} {options['stat']}: {label}"


def of_requests(dimensions: str) -> dict[str, list[str]]:
    return {
        "Requests": [
            f"servestack Requests {dimensions} Sum: requests",
            f"servestack Errors {dimensions} Sum: errors",
        ],
        "Requests in flight": [
            f"servestack Duration {dimensions} Sum: not shown",
            "duration / 1000 / PERIOD(duration): mean",
        ],
        "Time to first token of streams": [
            f"servestack TimeToFirstToken {dimensions} p50: p50",
            f"servestack TimeToFirstToken {dimensions} p95: p95",
        ],
        "Tokens a second": [
            f"servestack TokensPerSecond {dimensions} p50: of a stream, p50",
            f"servestack CompletionTokens {dimensions} Sum: not shown",
            "tokens / PERIOD(tokens): of all answers together",
        ],
        "Tokens": [
            f"servestack PromptTokens {dimensions} Sum: prompts",
            f"servestack CompletionTokens {dimensions} Sum: answers",
        ],
    }


def test_a_run_s_dashboard_has_its_requests_its_replicas_and_its_cost() -> None:
    plan = service_plan(TGI)
    minute = (plan.offers[0].price + plan.disk_gb * 0.08 / 730 + 0.005) / 60
    cost = "Cost so far at list price"
    told = shown(service_widgets(plan))
    assert {title: graphs for title, graphs in told.items() if title != cost} == {
        **of_requests(RUN),
        "Replicas": [
            f"AWS/AutoScaling GroupDesiredCapacity {GROUP} Average: wanted",
            f"AWS/AutoScaling GroupInServiceInstances {GROUP} Average: in service",
            f"AWS/AutoScaling GroupPendingInstances {GROUP} Average: being started",
            f"AWS/ApplicationELB HealthyHostCount {TARGETS} Maximum: healthy",
        ],
        "GPU": [
            f"servestack GpuUse {RUN} Average: use, mean of the replicas",
            f"servestack GpuMemory {RUN} Maximum: memory, the fullest GPU",
        ],
        "Model server": [
            f"servestack Running {RUN} Average: being answered, a replica",
            f"servestack Waiting {RUN} Average: waiting, a replica",
            f"servestack Waiting {RUN} Maximum: waiting, the longest queue",
        ],
        "Disk": [f"servestack DiskUse {RUN} Maximum: the fullest disk"],
    }
    minutes, dollars = told[cost]
    assert minutes == f"AWS/AutoScaling GroupInServiceInstances {GROUP} Sum: not shown"
    assert dollars == (
        f"RUNNING_SUM(FILL(minutes, 0) * {minute:.7f}): replicas, as g6.xlarge on demand, since the left edge"
    )


def test_a_run_without_a_model_has_no_tokens() -> None:
    told = shown(service_widgets(service_plan(f"{WEB}resources: {{gpu: 24GB}}\n")))
    assert list(told) == [
        "Requests",
        "Requests in flight",
        "Replicas",
        "GPU",
        "Model server",
        "Disk",
        "Cost so far at list price",
    ]


def test_a_gateway_s_dashboard_has_all_requests_each_run_and_its_own_parts() -> None:
    def search(metric: str, stat: str) -> str:
        wanted = f'{{servestack,Table,Run}} MetricName="{metric}" Table="gateway-table-1"'
        return f"SEARCH('{wanted}', '{stat}')"

    run = "${PROP('Dim.Run')}"
    assert shown(gateway_widgets(gateway_plan(memory_size=512))) == {
        **of_requests("Table=gateway-table-1"),
        "Requests of each run": [f"{search('Requests', 'Sum')}: {run}"],
        "Errors of each run": [f"{search('Errors', 'Sum')}: {run}"],
        "Time to first token of each run, p95": [f"{search('TimeToFirstToken', 'p95')}: {run}"],
        "Tokens of each run": [f"{search('CompletionTokens', 'Sum')}: {run}"],
        "GPU use of each run": [f"{search('GpuUse', 'Average')}: {run}"],
        "Replica hours of each run, since the left edge": [
            f"RUNNING_SUM({search('GpuUse', 'SampleCount')} / 60): {run}"
        ],
        "Function": [
            f"AWS/Lambda Invocations {FUNCTION} Sum: requests",
            f"AWS/Lambda Errors {FUNCTION} Sum: errors",
            f"AWS/Lambda Throttles {FUNCTION} Sum: throttles",
        ],
        "Instances of the function at once": [f"AWS/Lambda ConcurrentExecutions {FUNCTION} Maximum: most"],
        "Duration of the function": [
            f"AWS/Lambda Duration {FUNCTION} p50: p50",
            f"AWS/Lambda Duration {FUNCTION} p95: p95",
        ],
        "API": [
            f"AWS/ApiGateway Count {API} Sum: requests",
            f"AWS/ApiGateway 4XXError {API} Sum: 4xx",
            f"AWS/ApiGateway 5XXError {API} Sum: 5xx",
        ],
        "Throttles of the table": [
            "AWS/DynamoDB ReadThrottleEvents TableName=gateway-table-1 Sum: reads",
            "AWS/DynamoDB WriteThrottleEvents TableName=gateway-table-1 Sum: writes",
        ],
        "Cost so far at list price": [
            f"AWS/Lambda Duration {FUNCTION} Sum: not shown",
            f"AWS/Lambda Invocations {FUNCTION} Sum: not shown",
            f"AWS/ApiGateway Count {API} Sum: not shown",
            "RUNNING_SUM(PERIOD(duration) / 3600 * 0.0225 + FILL(duration, 0) * 0.0000000066667 + "
            "FILL(calls, 0) * 0.0000002 + FILL(count, 0) * 0.0000035): "
            "load balancer, function and API, without the runs, since the left edge",
        ],
    }


def test_every_metric_of_a_run_is_on_its_dashboard() -> None:
    text = body(service_widgets(service_plan(TGI)), names=NAMES, region="us-east-1")
    written = (*REQUEST_METRICS, *MODEL_METRICS, *REPLICA_METRICS)
    assert [metric for metric in written if f'"servestack", "{metric}"' not in text] == []


def test_a_new_account_s_dashboard_is_free_because_it_has_at_most_50_metrics() -> None:
    """aws.amazon.com/cloudwatch/pricing: three dashboards of up to 50 metrics each."""
    graphs = [graph for widget in gateway_widgets(gateway_plan()) for graph in widget.graphs]
    assert len(graphs) <= 50


def test_widgets_lie_in_rows_of_three_and_show_the_last_day_of_their_region() -> None:
    read = json.loads(body(service_widgets(service_plan(TGI)), names=NAMES, region="eu-west-1"))
    assert (read["start"], read["periodOverride"]) == ("-P1D", "auto")
    assert [(one["x"], one["y"], one["width"], one["height"]) for one in read["widgets"]][:4] == [
        (0, 0, 8, 6),
        (8, 0, 8, 6),
        (16, 0, 8, 6),
        (0, 6, 8, 6),
    ]
    (gpu,) = [one["properties"] for one in read["widgets"] if one["properties"]["title"] == "GPU"]
    assert {name: gpu[name] for name in gpu if name != "metrics"} == {
        "title": "GPU",
        "view": "timeSeries",
        "region": "eu-west-1",
        "period": 60,
        "yAxis": {"left": {"label": "percent", "showUnits": False, "min": 0, "max": 100}},
    }


def test_two_gateways_of_an_account_never_share_a_dashboard() -> None:
    """Dashboards belong to the account, and a second one of a name overwrites the first."""
    assert dashboard_name({"table": "gateway-table-1a2b3c4"}) == "servestack-gateway-table-1a2b3c4"
    assert dashboard_name({"table": "gateway-table-1a2b3c4", "run": "cat"}) == "servestack-gateway-table-1a2b3c4-cat"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
    ],
)
def test_the_address_is_that_of_the_region_s_console(region: str, host: str) -> None:
    assert dashboard_url("x", region) == f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/x"
