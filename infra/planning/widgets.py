"""A dashboard of CloudWatch as plain data, and its text.

AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html describes the text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.planning.metrics import MINUTE, NAMESPACE, Metric, Names

IN_A_ROW, WIDTH, HEIGHT = 3, 8, 6
"""Widgets in a row, and the size of each. A dashboard is 24 wide."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A graph that metric math makes of the metrics of its widget."""

    id: str
    expression: str
    label: str


@dataclass(frozen=True, kw_only=True)
class EachRun:
    """A graph for each run that a gateway has at the time of reading: a search for a metric by `Table` and `Run`."""

    id: str
    name: str
    """Of a metric of the namespace `servestack`."""
    stat: str
    formula: str = "{search}"
    """Metric math of each graph."""


@dataclass(frozen=True, kw_only=True)
class Widget:
    """One part of a dashboard: its title, its graphs, and what its axis measures."""

    title: str
    graphs: tuple[Metric | Expression | EachRun, ...]
    axis: str
    highest: int | None = None
    """The end of the axis; `None`: it follows the values."""


def body(widgets: Sequence[Widget], *, names: Names, region: str) -> str:
    """Return the text of a dashboard, as JSON. It begins with the last day, and its reader can choose another time.

    Args:
        widgets: in the order of reading.
        names: the names of the deployed resources whose metrics are shown.
        region: the region of the metrics. Dashboards themselves belong to no region.
    """
    return json.dumps(
        {
            "start": "-P1D",
            "periodOverride": "auto",
            "widgets": [
                {
                    "type": "metric",
                    "x": index % IN_A_ROW * WIDTH,
                    "y": index // IN_A_ROW * HEIGHT,
                    "width": WIDTH,
                    "height": HEIGHT,
                    "properties": _properties(widget, names, region),
                }
                for index, widget in enumerate(widgets)
            ],
        },
        ensure_ascii=False,
    )


def _properties(widget: Widget, names: Names, region: str) -> dict[str, Any]:
    left = {"label": widget.axis, "showUnits": False, "min": 0}
    return {
        "title": widget.title,
        "view": "timeSeries",
        "region": region,
        "period": MINUTE,
        "metrics": [_graph(graph, names) for graph in widget.graphs],
        "yAxis": {"left": left if widget.highest is None else {**left, "max": widget.highest}},
    }


def _graph(graph: Metric | Expression | EachRun, names: Names) -> list[Any]:
    match graph:
        case Metric():
            named = [part for name, key in graph.dimensions.items() for part in (name, names[key])]
            shown = {"label": graph.label} if graph.label else {"visible": False}
            return [graph.namespace, graph.name, *named, {"id": graph.id, "stat": graph.stat, **shown}]
        case Expression():
            return [{"id": graph.id, "expression": graph.expression, "label": graph.label}]
        case EachRun():
            wanted = f'{{{NAMESPACE},Table,Run}} MetricName="{graph.name}" Table="{names["table"]}"'
            search = f"SEARCH('{wanted}', '{graph.stat}')"
            return [{"id": graph.id, "expression": graph.formula.format(search=search), "label": "${PROP('Dim.Run')}"}]
