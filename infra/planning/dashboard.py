"""What the dashboards of a gateway and of a run show."""

from __future__ import annotations

from collections.abc import Callable

from infra.planning.gateway_plan import GatewayPlan
from infra.planning.metrics import (
    Metric,
    Names,
    of_api,
    of_function,
    of_gateway,
    of_group,
    of_run,
    of_table,
    of_targets,
)
from infra.planning.plan import ServicePlan
from infra.planning.spending import Spending, gateway_spending, service_spending
from infra.planning.widgets import EachRun, Expression, Widget

PERCENT = 100
CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""Hosts of AWS's console, by how the names of their regions begin; elsewhere console.aws.amazon.com."""
OfAll = Callable[[str, str, str, str], Metric]
"""`of_gateway` or `of_run`."""


def service_widgets(plan: ServicePlan) -> tuple[Widget, ...]:
    """Return the dashboard of a run."""
    return (
        *_requests(of_run, with_model=plan.model is not None),
        Widget(
            title="Replicas",
            graphs=(
                *(graph for number, group in enumerate(plan.groups) for graph in _of_replicas(plan, group, number)),
                of_targets("healthy", "HealthyHostCount", "Maximum", "healthy"),
            ),
            axis="replicas",
        ),
        Widget(
            title="GPU",
            graphs=(
                of_run("use", "GpuUse", "Average", "use, mean of the replicas"),
                of_run("memory", "GpuMemory", "Maximum", "memory, the fullest GPU"),
            ),
            axis="percent",
            highest=PERCENT,
        ),
        Widget(
            title="Model server",
            graphs=(
                of_run("batch", "Running", "Average", "being answered, a replica"),
                of_run("queue", "Waiting", "Average", "waiting, a replica"),
                of_run("longest", "Waiting", "Maximum", "waiting, the longest queue"),
            ),
            axis="requests",
        ),
        Widget(
            title="Disk",
            graphs=(of_run("disk", "DiskUse", "Maximum", "the fullest disk"),),
            axis="percent",
            highest=PERCENT,
        ),
        _cost(service_spending(plan), f"replicas, as {_types(plan)} on demand"),
    )


def gateway_widgets(plan: GatewayPlan) -> tuple[Widget, ...]:
    """Return the dashboard of a gateway and of all its runs."""
    return (
        *_requests(of_gateway, with_model=True),
        Widget(title="Requests of each run", graphs=(EachRun(id="a", name="Requests", stat="Sum"),), axis="requests"),
        Widget(title="Errors of each run", graphs=(EachRun(id="a", name="Errors", stat="Sum"),), axis="requests"),
        Widget(
            title="Time to first token of each run, p95",
            graphs=(EachRun(id="a", name="TimeToFirstToken", stat="p95"),),
            axis="milliseconds",
        ),
        Widget(
            title="Tokens of each run",
            graphs=(EachRun(id="a", name="CompletionTokens", stat="Sum"),),
            axis="generated tokens",
        ),
        Widget(
            title="GPU use of each run",
            graphs=(EachRun(id="a", name="GpuUse", stat="Average"),),
            axis="percent",
            highest=PERCENT,
        ),
        Widget(
            # A replica writes one value a minute, so the number of values is its minutes.
            title="Replica hours of each run, since the left edge",
            graphs=(EachRun(id="a", name="GpuUse", stat="SampleCount", formula="RUNNING_SUM({search} / 60)"),),
            axis="hours",
        ),
        Widget(
            title="Function",
            graphs=(
                of_function("calls", "Invocations", "Sum", "requests"),
                of_function("failed", "Errors", "Sum", "errors"),
                of_function("refused", "Throttles", "Sum", "throttles"),
            ),
            axis="requests",
        ),
        Widget(
            title="Instances of the function at once",
            graphs=(of_function("instances", "ConcurrentExecutions", "Maximum", "most"),),
            axis="instances",
        ),
        Widget(
            title="Duration of the function",
            graphs=(
                of_function("median", "Duration", "p50", "p50"),
                of_function("slow", "Duration", "p95", "p95"),
            ),
            axis="milliseconds",
        ),
        Widget(
            title="API",
            graphs=(
                of_api("count", "Count", "Sum", "requests"),
                of_api("client", "4XXError", "Sum", "4xx"),
                of_api("server", "5XXError", "Sum", "5xx"),
            ),
            axis="requests",
        ),
        Widget(
            title="Throttles of the table",
            graphs=(
                of_table("reads", "ReadThrottleEvents", "Sum", "reads"),
                of_table("writes", "WriteThrottleEvents", "Sum", "writes"),
            ),
            axis="calls",
        ),
        _cost(gateway_spending(plan), "load balancer, function and API, without the runs"),
    )


def dashboard_name(names: Names) -> str:
    """Return the name of a dashboard. Its account has one of each name, in all regions, and a second one with the same
    name would overwrite the first. The name of a table has random digits, and a table has one run of each name."""
    parts = ["servestack", names["table"], *([names["run"]] if "run" in names else [])]
    return "-".join(parts)


def dashboard_url(name: str, region: str) -> str:
    """Return the address of a dashboard in AWS's console."""
    host = next((host for begin, host in CONSOLES.items() if region.startswith(begin)), "console.aws.amazon.com")
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def _of_replicas(plan: ServicePlan, group: ServicePlan, number: int) -> tuple[Metric, ...]:
    which = f", group {group.group}" if plan.others else ""
    return (
        of_group("wanted", "GroupDesiredCapacity", "Average", f"wanted{which}", number=number),
        of_group("running", "GroupInServiceInstances", "Average", f"in service{which}", number=number),
        of_group("starting", "GroupPendingInstances", "Average", f"being started{which}", number=number),
    )


def _types(plan: ServicePlan) -> str:
    return " and ".join(dict.fromkeys(group.offers[0].instance_type for group in plan.groups))


def _requests(of: OfAll, *, with_model: bool) -> tuple[Widget, ...]:
    """What the gateway knows of requests. Without a model there are no tokens."""
    requests = Widget(
        title="Requests",
        graphs=(of("requests", "Requests", "Sum", "requests"), of("errors", "Errors", "Sum", "errors")),
        axis="requests",
    )
    in_flight = Widget(
        # A request of 20 s is in flight for 20 s of a period, so the durations divided by the period are the mean.
        title="Requests in flight",
        graphs=(
            of("duration", "Duration", "Sum", ""),
            Expression(id="flying", expression="duration / 1000 / PERIOD(duration)", label="mean"),
        ),
        axis="requests",
    )
    if not with_model:
        return requests, in_flight
    return (
        requests,
        in_flight,
        Widget(
            title="Time to first token of streams",
            graphs=(of("median", "TimeToFirstToken", "p50", "p50"), of("slow", "TimeToFirstToken", "p95", "p95")),
            axis="milliseconds",
        ),
        Widget(
            title="Tokens a second",
            graphs=(
                of("stream", "TokensPerSecond", "p50", "of a stream, p50"),
                of("tokens", "CompletionTokens", "Sum", ""),
                Expression(id="all", expression="tokens / PERIOD(tokens)", label="of all answers together"),
            ),
            axis="tokens a second",
        ),
        Widget(
            title="Tokens",
            graphs=(of("read", "PromptTokens", "Sum", "prompts"), of("written", "CompletionTokens", "Sum", "answers")),
            axis="tokens",
        ),
    )


def _cost(spent: Spending, of_what: str) -> Widget:
    dollars = spent.expression(f"PERIOD({spent.metrics[0].id})")
    return Widget(
        title="Cost so far at list price",
        graphs=(
            *spent.metrics,
            Expression(id="cost", expression=f"RUNNING_SUM({dollars})", label=f"{of_what}, since the left edge"),
        ),
        axis="US dollars",
    )
