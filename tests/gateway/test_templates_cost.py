"""What one rendering may cost: docs/templates.md says which bound holds against whom."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import (
    ChatTemplate,
    MessagesRefused,
    TemplateError,
    TemplateInvalid,
    TemplateLimit,
    TemplateRaised,
    compile_template,
)
from gateway_lambda.templates.memory import MAX_MEMORY, MemoryBound

SECONDS = 6.0
"""CPU that a case may take: a rendering's own half second, one expression beyond it, and a busy machine."""
BYTES = 3 * MAX_MEMORY
"""Memory that a case may add: a rendering's own, and what the caller's input takes as messages and text."""
HI = [{"role": "user", "content": "Hi"}]
T = "{{ messages[0].content }}"
A_MIB = "x" * (1 << 20)
MANY = [{"role": "user", "content": "x" * 2000}] * 2048
WIDE: list[dict[str, Any]] = [
    {"function": {"name": "f", "parameters": {"properties": {f"p{i}": {} for i in range(200_000)}}}}
]
LISTS = [{"function": {"name": "f", "parameters": {"enum": [[i] for i in range(200_000)]}}}]
ITEMS = [{"function": {"name": "f", "parameters": {"enum": [1] * 1_000_000}}}]
TOKENS: dict[str, str | list[str]] = {"end": "</s>", "more": [f"<|reserved_special_token_{i}|>" for i in range(1000)]}


def nested(depth: int, inner: Any) -> list[Any]:
    for _ in range(depth):
        inner = [inner]
    return inner


DEEP = nested(100_000, 1)

P = "tools[0].function.parameters"
BY_CALLERS: dict[str, tuple[str, dict[str, Any], type[TemplateError] | None]] = {
    "a number repeats a text": ("{{ 'x' * n }}", {"n": 10**12}, TemplateLimit),
    "a number repeats a list": ("{{ ([1] * n) | length }}", {"n": 10**9}, TemplateLimit),
    "a number is a width": ("{{ 'x'.center(n) }}", {"n": 10**10}, TemplateLimit),
    "a number is a filter's width": ("{{ 'x' | indent(n, true) }}", {"n": 10**10}, TemplateLimit),
    "a number is a format's width": ("{{ '%*d' % (n, 1) }}", {"n": 2_000_000_000}, TemplateLimit),
    "a number is a count of bytes": ("{{ (1).to_bytes(n, 'big') | length }}", {"n": 10**10}, TemplateLimit),
    "a number is a count of slices": ("{{ 'x' | slice(n) | list }}", {"n": 10**10}, TemplateLimit),
    "a number is a count of digits": ("{{ 1 | round(n, 'ceil') }}", {"n": 10**10}, TemplateLimit),
    "a number is a range": ("{{ range(n) | length }}", {"n": 10**10}, TemplateRaised),
    "a number is a count of loops": (
        "{% for i in range(n) %}{% for j in range(n) %}{% endfor %}{% endfor %}",
        {"n": 99_999},
        TemplateLimit,
    ),
    "tools put in for a mark of the caller's": (
        "{{ messages[0].content | replace('x', tools | tojson) }}",
        {"content": A_MIB, "tools": ["y" * 1_000_000]},
        TemplateLimit,
    ),
    "tools joined by a text of the caller's": (
        "{{ messages[0].content.join(tools) }}",
        {"content": A_MIB, "tools": ["y"] * 100_000},
        TemplateLimit,
    ),
    "indented JSON, wide and deep": (
        "{{ tools | tojson(indent=4) }}",
        {"tools": nested(200, [1] * 1_000_000)},
        TemplateLimit,
    ),
    "JSON nested beyond recursion": ("{{ tools | tojson }}", {"tools": DEEP}, TemplateRaised),
    "equality nested beyond recursion": ("{{ tools == tools[0] }}", {"tools": DEEP}, TemplateRaised),
    "a schema walked by a macro": (
        "{% macro f(x) %}{% for y in x %}{{ f(y) }}{% endfor %}{% endmacro %}{{ f(tools) }}",
        {"tools": DEEP},
        TemplateRaised,
    ),
    "a text that grows with each property": (
        "{% set ns = namespace(t='') %}{% for p in "
        + P
        + ".properties %}{% set ns.t = ns.t + p ~ '"
        + "y" * 99
        + "' %}"
        "{% endfor %}x",
        {"tools": WIDE},
        TemplateLimit,
    ),
    "a list that grows with each property": (
        "{% set ns = namespace(t=[]) %}{% for p in " + P + ".properties %}{% set ns.t = ns.t + [p] %}{% endfor %}x",
        {"tools": WIDE},
        TemplateLimit,
    ),
    "each property looked for among all": (
        "{% for p in " + P + ".properties %}{% if p ~ 'z' in " + P + ".properties | list %}{% endif %}{% endfor %}x",
        {"tools": WIDE},
        TemplateLimit,
    ),
    "all tools written for each message": (
        "{% for m in messages %}{% if tools | tojson | length > 1 %}{% endif %}{% endfor %}x",
        {"messages": MANY, "tools": WIDE},
        TemplateLimit,
    ),
    "the first text split for each message": (
        "{% for m in messages %}{% set x = messages[0].content.split('x') %}{% endfor %}x",
        {"messages": [{"role": "user", "content": A_MIB}, *[{"role": "user", "content": "y"}] * 2000]},
        TemplateLimit,
    ),
    "each message compared with each": (
        "{% for m in messages %}{% for o in messages %}"
        + "{% if m == o %}{% endif %}" * 8
        + "{% endfor %}{% endfor %}x",
        {"messages": [{"role": "user", "content": f"{A_MIB[:2000]}{i}"} for i in range(2000)]},
        TemplateLimit,
    ),
    "a text walked character by character": (
        "{% set ns = namespace(n=0) %}{% for c in messages[0].content %}{% set ns.n = ns.n + 1 %}{% endfor %}x",
        {"content": "x" * (4 << 20)},
        TemplateLimit,
    ),
    "lists added up": ("{{ " + P + ".enum | sum(start=[]) | length }}", {"tools": LISTS}, None),
    "items through a filter each": (
        "{{ " + P + ".enum | map('tojson') | select('in', ['a']) | join }}x",
        {"tools": ITEMS},
        TemplateLimit,
    ),
    "items sorted": ("{{ " + P + ".enum | sort | length }}", {"tools": LISTS}, None),
    "items made unique": ("{{ " + P + ".enum | unique | list | length }}", {"tools": ITEMS}, None),
    "items grouped": ("{{ " + P + ".enum[:50000] | groupby(0) | length }}", {"tools": LISTS}, None),
    "beginnings of control tokens": (T, {"content": "<|" * 800_000, "strip": True}, None),
    "control tokens in each other": (
        T,
        {"content": (TOKENS["more"][1][:-2] * 7 + "|>" * 7) * 9000, "strip": True},
        MessagesRefused,
    ),
    "marks of images": (T, {"content": "![](" * 250_000}, None),
}
"""What honest templates do with what callers send: by name, the template, the input, and how it ends (`None`: well)."""


@contextmanager
def bounded() -> Generator[None]:
    """Fails where its block takes too much; memory is measured where the system keeps its peak."""
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def kilobytes(field: str) -> int:
        return int(status.read_text().split(f"{field}:")[1].split()[0])

    measured = sys.platform == "linux"
    if measured:
        peak.write_text("5")
    had = kilobytes("VmRSS") if measured else 0
    begun = time.process_time()
    yield
    assert time.process_time() - begun < SECONDS
    if measured:
        assert kilobytes("VmHWM") - had < BYTES // 1024


@pytest.mark.parametrize("name", BY_CALLERS)
def test_what_callers_drive_through_a_template_is_bounded(name: str) -> None:
    source, given, error = BY_CALLERS[name]
    model = Model(
        name="m",
        chat_template=source,
        vision=True,
        special_tokens=TOKENS,
        control_tokens_in_input="strip" if "strip" in given else "allow",
    )
    chat = ChatTemplate(model)
    messages = given.get("messages", [{"role": "user", "content": given.get("content", "Hi")}])
    kwargs = {"n": given["n"]} if "n" in given else None
    found: type[TemplateError] | None = None
    with bounded():
        try:
            chat.render(messages, tools=given.get("tools"), chat_template_kwargs=kwargs)
        except TemplateError as problem:
            found = type(problem)
    assert found is error


GROWS = "{{% set ns = namespace(x={0}) %}}{{% for i in range(60) %}}{{% set ns.x = {1} %}}{{% endfor %}}x"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{{ 10 ** 9999999 }}", TemplateInvalid),
        ("{% if x %}{{ 2 ** y }}{% endif %}", TemplateInvalid),
        ("{{ 'a' | pprint }}", TemplateInvalid),
        ("{{ 'a' * 200000000 }}", TemplateLimit),
        ("{{ ('%s' * 9999) % (('a' * 9999,) * 9999) }}", TemplateLimit),
        ("{{ '{:999999999}'.format(1) }}", TemplateLimit),
        ("{{ ('a' * 9999).translate({97: 'b' * 9999}) }}", TemplateLimit),
        ("{{ ('a' * 999999).encode().replace('a'.encode(), ('b' * 9999).encode()) }}", TemplateLimit),
        ("{{ ['a' * 999999] * 999999 }}", TemplateLimit),
        ("{{ (['a' * 999999] * 999999) | tojson }}", TemplateLimit),
        ("{{ '\"'" + " | tojson" * 40 + " }}", TemplateLimit),
        (GROWS.format("'a'", "ns.x ~ ns.x"), TemplateLimit),
        (GROWS.format("[1]", "ns.x + ns.x"), TemplateLimit),
        (GROWS.format("9", "ns.x * ns.x"), TemplateLimit),
        (GROWS.format("1", "[ns.x, ns.x] | string"), TemplateLimit),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) * 2 }}{% else %}a{% endif %}{% endmacro %}{{ f(60) }}", TemplateLimit),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}", TemplateLimit),
        ("{% block b %}{{ self['b']() }}{{ self['b']() }}{% endblock %}", TemplateRaised),
        (
            "{% macro f() %}{{ caller() }}{% endmacro %}{% for i in range(9999) %}{% call f() %}"
            "{% for i in range(9999) %}{% endfor %}{% endcall %}{% endfor %}",
            TemplateLimit,
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", TemplateRaised),
        ("{{ ('9' * 99999) | int + 1 }}{{ 'a' + 1 }}", TemplateRaised),
        ("{{ 1e308 * 10 | int }}{{ (1e308 * 10) | round | int }}{{ 1 / 0 }}", TemplateRaised),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", TemplateInvalid),
        ("{% if 1 %}" * 200 + "{% endif %}" * 200, TemplateInvalid),
        ("{# #}" + "a" * (256 * 1024), TemplateInvalid),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else value.__name__,
)
def test_templates_that_explode_by_themselves_end_alone(source: str, error: type[TemplateError]) -> None:
    with bounded(), pytest.raises(error):
        ChatTemplate(Model(name="m", chat_template=source)).render(HI)
    assert ChatTemplate(Model(name="m", chat_template=T)).render(HI) == "Hi"


def test_nothing_of_a_template_runs_while_it_is_compiled() -> None:
    with bounded():
        compile_template("{{ 'a' * 200000000 }}{{ 'a' | center(1000000000) }}{{ '%999999999d' % 1 }}")


def test_content_handed_on_through_a_thousand_variables_is_compiled_in_linear_time() -> None:
    chain = "".join(f"{{% set a{i} = a{i + 1} %}}" for i in range(1500))
    with bounded():
        compile_template(chain + "{% set a1500 = content %}")


def test_a_rendering_leaves_the_process_s_own_limit_of_memory() -> None:
    usual = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(TemplateLimit):
        ChatTemplate(Model(name="m", chat_template="{{ 'a' * 10 ** 10 }}".replace("10 ** 10", "10000000000"))).render(
            HI
        )
    assert resource.getrlimit(resource.RLIMIT_DATA) == usual


def test_a_process_that_has_grown_since_gives_a_rendering_all_its_memory() -> None:
    bound = MemoryBound()
    grown = bytearray(MAX_MEMORY)
    assert len(bound.run(bytes, 16_000_000)) == 16_000_000
    assert len(grown) == MAX_MEMORY
