"""What one rendering may cost (translation.md §7.3), and what a template may not reach."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate, TemplateError, TemplateInvalid, TemplateLimit, TemplateRaised

HI = [{"role": "user", "content": "Hi"}]
BOMB_SECONDS = 2.0
"""CPU a refused bomb may take: twice the limit of a rendering's own time."""


def render(source: str, messages: Any = HI, **arguments: Any) -> str:
    return ChatTemplate(Model(name="m", chat_template=source)).render(messages, **arguments)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{{ 10 ** 9999999 }}", TemplateInvalid),
        ("{% if x %}{{ 2 ** y }}{% endif %}", TemplateInvalid),
        ("{{ 'a' * 200000000 }}", TemplateLimit),
        ("{{ 200000000 * 'a' }}", TemplateLimit),
        ("{{ [1] * 200000000 }}", TemplateLimit),
        ("{% set x = 'a' * 1000001 %}x", TemplateLimit),
        ("{{ 'a' | center(1000000000) }}", TemplateLimit),
        ("{{ 'a'.center(1000000000) }}", TemplateLimit),
        ("{{ 'a'['ljust'](1000000000) }}", TemplateLimit),
        ("{{ ('a' | attr('rjust'))(1000000000) }}", TemplateLimit),
        ("{{ ['a'] | map('center', 1000000000) | first }}", TemplateLimit),
        ("{{ '1'.zfill(1000000000) }}", TemplateLimit),
        ("{{ '\t'.expandtabs(1000000000) }}", TemplateLimit),
        ("{{ ('\t' * 900000).expandtabs(1000) }}", TemplateLimit),
        ("{{ '%999999999d' % 1 }}", TemplateLimit),
        ("{{ '%.999999999f' % 1.0 }}", TemplateLimit),
        ("{{ '%*d' % (999999999, 1) }}", TemplateLimit),
        ("{{ '%(a)999999999d' % {'a': 1} }}", TemplateLimit),
        ("{{ '%999999999d' | format(1) }}", TemplateLimit),
        ("{{ ('%s' * 9999) % (('a' * 9999,) * 9999) }}", TemplateLimit),
        ("{{ '{:999999999}'.format(1) }}", TemplateLimit),
        ("{{ '{:{}}'.format(1, 999999999) }}", TemplateLimit),
        ("{{ ('{0}' * 9999).format('a' * 9999) }}", TemplateLimit),
        ("{{ ('a' * 9999).replace('a', 'b' * 9999) }}", TemplateLimit),
        ("{{ ('a' * 9999).replace('', 'b' * 9999) }}", TemplateLimit),
        ("{{ ('a' * 9999) | replace('a', 'b' * 9999) }}", TemplateLimit),
        ("{{ ('a' * 9999).join('b' * 9999) }}", TemplateLimit),
        ("{{ ('b' * 9999) | join('a' * 9999) }}", TemplateLimit),
        ("{{ ('a' * 9999).translate({97: 'b' * 9999}) }}", TemplateLimit),
        ("{{ 'a' | indent(1000000000, true) }}", TemplateLimit),
        ("{{ ('\n' * 99999) | indent(9999) }}", TemplateLimit),
        ("{{ ('a ' * 99999) | wordwrap(1, wrapstring='b' * 9999) }}", TemplateLimit),
        ("{{ ([[1] * 9999] * 9999) | sum(start=[]) }}", TemplateLimit),
        ("{{ (['a' * 999999] * 999999) | map('upper') | list }}", TemplateLimit),
        ("{{ ['a' * 999999] * 999999 }}", TemplateLimit),
        ("{{ ('%s' ~ (['a' * 999999] * 999999)) }}", TemplateLimit),
        ("{{ '%s' % (['a' * 999999] * 999999) }}", TemplateLimit),
        ("{{ (['a' * 999999] * 999999) | string }}", TemplateLimit),
        ("{{ (['a' * 999999] * 999999) | tojson }}", TemplateLimit),
        ("{{ ([['a' * 999999]] * 999999) | join }}", TemplateLimit),
        ("{{ ([['a' * 999999]] * 999999) | pprint }}", TemplateLimit),
        ("{{ dict(a=[dict(b=['a' * 999999] * 999999)]).values() }}", TemplateLimit),
        ("{{ namespace(a=['a' * 999999] * 999999) }}", TemplateLimit),
        ("{{ '\"'" + " | tojson" * 40 + " }}", TemplateLimit),
        ("{{ '\"'" + " | pprint" * 60 + " }}", TemplateLimit),
        (
            "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns }}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x='\"') %}{% for i in range(60) %}{% set ns.x = [ns.x] | string %}{% endfor %}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set b %}{{ ns.x }}{{ ns.x }}{% endset %}"
            "{% set ns.x = b %}{% endfor %}",
            TemplateLimit,
        ),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) * 2 }}{% else %}a{% endif %}{% endmacro %}{{ f(60) }}", TemplateLimit),
        ("{{ [[1] * 999] | tojson(indent=9999) }}", TemplateLimit),
        ("{{ [] | tojson(indent=1000000000) }}", TemplateLimit),
        ("{{ [[1]] | tojson(indent=1000000000) }}", TemplateLimit),
        ("{{ 1 | round(1000000000, 'ceil') }}", TemplateLimit),
        ("{{ [1] | batch(1000000000, 0) | list }}", TemplateLimit),
        ("{{ [1] | slice(1000000000) | list }}", TemplateLimit),
        ("{{ range(10001) }}", TemplateLimit),
        ("{{ range(10 * 999999999999 * 999999999999) }}", TemplateLimit),
        ("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}", TemplateLimit),
        ("{% for i in range(10000) %}{{ 'a' * 1000 }}{% endfor %}", TemplateLimit),
        (
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x=9) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
            TemplateLimit,
        ),
        (
            "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = ns.x + ['a' * 999999] %}{% endfor %}",
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
def test_bombs_are_refused_at_next_to_no_cost(source: str, error: type[TemplateError]) -> None:
    begun = time.process_time()
    with pytest.raises(error):
        render(source)
    assert time.process_time() - begun < BOMB_SECONDS


def test_a_template_in_a_branch_that_is_not_taken_costs_nothing() -> None:
    assert render("{% if false %}{{ 'a' * 200000000 }}{{ 'a' | center(1000000000) }}{% endif %}ok") == "ok"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'].x }}",
        "{{ ('' | attr('__class__')).x }}",
        "{{ raise_exception.__globals__.x }}",
        "{{ strftime_now.__globals__.x }}",
        "{{ range.__init__.__globals__.x }}",
        "{{ dict.__class__.x }}",
        "{{ dict.mro() }}",
        "{{ namespace.mro() }}",
        "{{ namespace.__init__.__globals__ .x }}",
        "{{ cycler.__init__.__globals__.x }}",
        "{{ '{0.__class__}'.format(1) + 1 }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) + 1 }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{{ messages[0].pop('role') }}",
        "{{ messages.sort() }}",
        "{% set ns = namespace(_a=1) %}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{% set ns = namespace({'__init__': 1}) %}",
        "{{ self.__init__.__globals__.x }}",
        "{{ self._TemplateReference__context.x }}",
        "{{ lipsum(1000) }}",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    with pytest.raises(TemplateRaised):
        render(source)


@pytest.mark.parametrize("tag", ["include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'"])
def test_a_template_is_one_text(tag: str) -> None:
    with pytest.raises(TemplateInvalid, match="one text"):
        render("{% " + tag + " %}")


def test_a_prompt_that_no_upstream_would_take_is_refused() -> None:
    source = "{{ messages[0].content }}"
    assert len(render(source, [{"role": "user", "content": "é" * 900_000}])) == 900_000
    for content in ("a" * 1_800_001, "é" * 900_001):
        with pytest.raises(TemplateLimit):
            render(source, [{"role": "user", "content": content}])


def test_honest_templates_are_far_below_the_limits() -> None:
    """2,048 messages, and a template that looks at twenty others for each; real ones look at one or two."""
    source = (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% for o in messages[:20] %}"
        "{% set ns.n = ns.n + 1 %}{% endfor %}{{ m.content }}{% endfor %}{{ ns.n }}"
    )
    messages = [{"role": "user", "content": "message " * 50}] * 2048
    assert render(source, messages) == "message " * 50 * 2048 + "40960"


def test_values_nested_beyond_recursion_are_an_error_of_the_request() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(TemplateRaised, match="nested too deeply"):
        render("{{ tools | tojson }}", tools=nested)
    while nested:
        nested = nested.pop()


def test_what_an_error_quotes_is_cut_and_valid_text() -> None:
    with pytest.raises(TemplateRaised) as raised:
        render("{{ raise_exception(tools[0] * 3) }}", tools=["\ud83d" * 1000])
    assert raised.value.message == "?" * 2000
