"""What a template may not reach. What one rendering may cost: tests/gateway/test_templates_cost.py."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate, TemplateInvalid, TemplateLimit, TemplateRaised

HI = [{"role": "user", "content": "Hi"}]


def render(source: str, messages: Any = HI, **arguments: Any) -> str:
    return ChatTemplate(Model(name="m", chat_template=source)).render(messages, **arguments)


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
