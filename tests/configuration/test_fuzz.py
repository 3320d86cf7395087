"""A file with any content is read, or refused with problems. No other error is raised."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.configuration import ConfigurationError, GatewayConfiguration, ServiceConfiguration, loads
from infra.configuration.problem import LONGEST_TEXT
from infra.configuration.refusals import GATEWAY, SERVICE

ROOT = Path(__file__).parents[2]
SEEDS = [path.read_bytes() for path in sorted(ROOT.glob("examples/**/*.dstack.yml"))]
WORDS = (
    *("type: service", "type: gateway", "image: nginx", "port: 80", "env:", "resources:", "gpu: ", "model: ", "name: "),
    *("replicas: ", "probes:", "- ", ": ", ", ", "{", "}", "[", "]", '"', "'", "|\n", ">-\n", "\t", "#", "&a ", "*a"),
    *("<<: *a", "? ", "!!int ", "!!binary ", "!x ", "---\n", "...\n", "%YAML 1.1\n", "null", "~", "yes", "off", "0755"),
    *(
        "22:22",
        ".inf",
        ".nan",
        "1e999",
        "2024-01-01",
        '"\\ud800"',
        '"\\0"',
        "${{",
        "}}",
        "env.A",
        "A=b",
        "24GB",
        "A10G:2",
    ),
    *("1..4", "..", "=", "\r\n", "\ufeff", "\x85", "\x00", "\u2028", "\U0001f408", "@", "`", "\\"),
)

NOTHING_ELSE = settings(max_examples=250, suppress_health_check=list(HealthCheck))


def _read(text: str | bytes) -> None:
    report = _report(text)
    if report is None:
        return
    for problem in report.problems:
        assert problem.rule
        assert problem.remedy
        assert problem.remedy != "see docs/configuration.md", "every rule has a remedy of its own"
    for line in str(report).splitlines():
        assert line.isprintable()
        assert len(line) < LONGEST_TEXT + 80


def _report(text: str | bytes) -> ConfigurationError | None:
    try:
        loads(text, "f")
    except ConfigurationError as error:
        return error
    return None


@NOTHING_ELSE
@given(st.lists(st.sampled_from([*WORDS, "\n", "\n  ", "\n    ", " "]), max_size=40).map("".join))
def test_texts_made_of_yamls_parts(text: str) -> None:
    _read(text)


@NOTHING_ELSE
@given(st.binary(max_size=200))
def test_bytes(text: bytes) -> None:
    _read(text)


@NOTHING_ELSE
@given(st.sampled_from(SEEDS), st.data())
def test_examples_with_something_put_in_or_taken_out(seed: bytes, data: st.DataObject) -> None:
    text = seed
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        put = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from(WORDS).map(str.encode)))
        text = text[:start] + put + text[end:]
    _read(text)


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(WORDS))
_INNER_KEYS = st.sampled_from(["name", "type", "count", "memory", "min", "max", "url", "rps", "A", "x"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_INNER_KEYS, inner, max_size=3)),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    sorted({*ServiceConfiguration.model_fields, *GatewayConfiguration.model_fields, *SERVICE, *GATEWAY} - {"type"})
)


@NOTHING_ELSE
@given(st.sampled_from(["service", "gateway"]), st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_any_value_under_any_key(kind: str, values: dict[str, object]) -> None:
    _read(json.dumps({"type": kind, **values}))
