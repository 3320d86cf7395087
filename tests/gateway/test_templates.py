"""Chat templates: P36 to P48 at the level of the package, and docs/translation.md#environment."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import (
    ChatTemplate,
    MessagesRefused,
    TemplateInvalid,
    TemplateRaised,
    compile_template,
)

T0 = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
HI = [{"role": "user", "content": "Hi"}]
# The document's Llama-2 template, as YAML's double quotes leave it.
LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = "
    "messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + "
    "'\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '<s>[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' </s>' }}{% endif %}{% endfor %}"
)


def template(source: str = T0, **fields: Any) -> ChatTemplate:
    now = fields.pop("now", datetime.datetime.now)
    return ChatTemplate(
        Model(**{"name": "m", "chat_template": source, "eos_token": "</s>", "bos_token": "<s>", **fields}), now=now
    )


def render(source: str = T0, messages: Any = HI, *, model: dict[str, Any] | None = None, **arguments: Any) -> str:
    return template(source, **(model or {})).render(messages, **arguments)


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def test_p36_neighbouring_text_parts_are_joined_with_a_newline() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert render(messages=user(parts)) == "[user]a\nb</s>[assistant]"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
)
def test_p37_parts_that_the_model_cannot_take_are_refused(part: dict[str, Any]) -> None:
    with pytest.raises(MessagesRefused) as refused:
        render(messages=user([part]))
    assert (refused.value.param, refused.value.code) == ("messages[0].content", "unsupported_value")


def test_p38_an_image_is_placed_with_nothing_added_around_it() -> None:
    parts = [
        {"type": "text", "text": "see "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
    ]
    assert render(messages=user(parts), model={"vision": True}) == (
        "[user]see ![](data:image/png;base64,AAAA)</s>[assistant]"
    )


def test_p40_a_developer_message_is_a_system_message() -> None:
    messages = [{"role": "developer", "content": "d"}, *HI]
    assert render(messages=messages) == "[system]d</s>[user]Hi</s>[assistant]"


def test_a_template_that_knows_the_developer_role_gets_it() -> None:
    assert render("{# developer #}" + T0, [{"role": "developer", "content": "d"}]) == "[developer]d</s>[assistant]"


@pytest.mark.parametrize(
    ("content", "end"),
    [("The", "The"), ("The ", "The "), ("The \n", "The \n"), ("", ""), ([{"type": "text", "text": "The "}], "The ")],
)
def test_p41_a_trailing_assistant_message_is_continued(content: Any, end: str) -> None:
    messages = [*HI, {"role": "assistant", "content": content}]
    assert render(messages=messages) == f"[user]Hi</s>[assistant]{end}"


def test_whitespace_that_the_template_trims_is_not_put_back() -> None:
    source = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}|{% endfor %}"
    assert render(source, [*HI, {"role": "assistant", "content": "The "}]) == "[user]Hi|[assistant]The"


@pytest.mark.parametrize(
    ("model", "arguments", "prompt"),
    [
        ({"prefill": "new_turn"}, {}, "[user]Hi</s>[assistant]The</s>[assistant]"),
        ({"prefill": "new_turn"}, {"continue_final_message": True}, "[user]Hi</s>[assistant]The"),
        ({}, {"continue_final_message": False}, "[user]Hi</s>[assistant]The</s>[assistant]"),
        ({}, {"add_generation_prompt": True}, "[user]Hi</s>[assistant]The</s>[assistant]"),
        ({}, {"add_generation_prompt": False}, "[user]Hi</s>[assistant]The"),
        ({"prefill": "new_turn"}, {"add_generation_prompt": False}, "[user]Hi</s>[assistant]The</s>"),
    ],
)
def test_the_record_and_the_request_say_how_a_trailing_assistant_message_is_taken(
    model: dict[str, Any], arguments: dict[str, Any], prompt: str
) -> None:
    assert render(messages=[*HI, {"role": "assistant", "content": "The"}], model=model, **arguments) == prompt


def test_a_user_message_is_continued_when_the_request_says_so() -> None:
    assert render(continue_final_message=True) == "[user]Hi"


def test_a_generation_prompt_and_a_continuation_exclude_each_other() -> None:
    with pytest.raises(MessagesRefused) as refused:
        render(add_generation_prompt=True, continue_final_message=True)
    assert (refused.value.param, refused.value.code) == ("continue_final_message", "invalid_value")


def test_a_last_message_that_the_template_does_not_print_cannot_be_continued() -> None:
    with pytest.raises(TemplateRaised, match="does not print the last message"):
        render("{{ messages[0].content }}", [*HI, {"role": "assistant", "content": "The"}])


def test_a_last_message_printed_twice_is_continued_at_its_last_place_without_marks() -> None:
    source = "{{ messages[-1].content }}{{ messages[-1].content }}"
    assert render(source, [{"role": "assistant", "content": "The"}]) == "The The"


def test_p42_arguments_of_tool_calls_reach_the_template_as_objects_and_null_content_does_not() -> None:
    source = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}"
        "{{ m.name }}{% endfor %}"
    )
    messages = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    assert render(source, messages) == '[assistant]f{"x": 1}[tool]42f'


@pytest.mark.parametrize(
    ("fields", "added", "prompt"),
    [
        ({}, True, "[user]Hi"),
        ({}, False, "<s>[user]Hi"),
        ({}, None, "[user]Hi"),
        ({"bos_token": "<|startoftext|>"}, None, "<|startoftext|>[user]Hi"),
        ({"strip_bos": "always"}, False, "[user]Hi"),
        ({"strip_bos": "never"}, True, "<s>[user]Hi"),
        ({"bos_token": None}, True, "[user]Hi"),
    ],
)
def test_p43_p44_one_leading_bos_is_left_to_a_tokenizer_that_adds_it(
    fields: dict[str, Any], added: bool | None, prompt: str
) -> None:
    chat = template("{{ bos_token }}[user]{{ messages[0].content }}", **fields)
    assert chat.without_extra_bos(chat.render(HI), added) == prompt


def test_exactly_one_bos_is_taken_off() -> None:
    chat = template("{{ bos_token }}{{ bos_token }}{{ messages[0].content }}")
    assert chat.without_extra_bos(chat.render(HI), True) == "<s>Hi"


def test_a_prompt_of_bos_alone_is_empty_once_it_is_taken_off() -> None:
    chat = template("{{ bos_token }}")
    with pytest.raises(MessagesRefused, match="empty prompt"):
        chat.without_extra_bos(chat.render(HI), True)


def test_p45_bos_as_an_operand() -> None:
    chat = template("{{ bos_token + '[INST] ' + messages[0]['content'] + ' [/INST]' }}")
    assert chat.without_extra_bos(chat.render(HI), True) == "[INST] Hi [/INST]"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}"
            "{{ i }}{% endfor %}",
            "013",
        ),
        ("{% generation %}a{{ messages[0].content }}{% endgeneration %}", "aHi"),
        ("{{ strftime_now('%d %b %Y') }}", "09 Nov 2026"),
        ("{{ '<é\\'>' | tojson }}", '"<é\'>"'),
        ("{{ {'b': 1, 'a': [none, true]} | tojson }}", '{"b": 1, "a": [null, true]}'),
        ("{{ {'b': 1, 'a': 2} | tojson(indent=1, sort_keys=true) }}", '{\n "a": 2,\n "b": 1\n}'),
        ("{{ {'a': [1, 2]} | tojson(separators=(',', ':')) }}", '{"a":[1,2]}'),
        ("{{ 'é' | tojson(ensure_ascii=true) }}", '"\\u00e9"'),
        ("{{ tools is not none }} {{ documents is none }} {{ tools is defined }}", "False True True"),
        ("{{ unk_token }}{{ nothing }}.", "."),
        ("{{ unk_token is defined }}", "False"),
        ("{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "2"),
        ("{{ dict(a=1).a }}{{ dict([('b', 2)])['b'] }}{{ dict.fromkeys(['c'], 3).c }}", "123"),
        ("a\n{% if true %}\nb\n{% endif %}\n   {% if true %}c{% endif %}\n\n", "a\nb\nc"),
        ("{{ messages[0].items() | list | length }}", "2"),
        ("{{ messages[0].get('nothing', 'else') }}", "else"),
        (
            "{{ 'a-b'.split('-') | join('+') }}{{ 'x' * 3 }}{{ '%s/%02d' % ('y', 3) }}{{ '{}'.format(4) }}",
            "a+bxxxy/034",
        ),
        ("{{ 'ab'.center(6) ~ 'z'.ljust(2) ~ 'a'.replace('a', 'bc') ~ '-'.join(['p', 'q']) }}.", "  ab  z bcp-q."),
    ],
)
def test_p46_the_environment_is_that_of_transformers(source: str, text: str) -> None:
    assert render(source, model={"now": lambda: datetime.datetime(2026, 11, 9)}) == text


def test_p47_what_a_template_raises_reaches_the_caller() -> None:
    with pytest.raises(TemplateRaised) as raised:
        render("{{ raise_exception('roles must alternate') }}")
    assert raised.value.message == "roles must alternate"


def test_p47_a_failing_expression_names_what_failed_and_the_line() -> None:
    with pytest.raises(TemplateRaised) as raised:
        render("\n\n{{ 'a' + 1 }}")
    assert raised.value.message == 'can only concatenate str (not "int") to str (line 3 of the chat template)'


@pytest.mark.parametrize(
    ("source", "line"),
    [("a\n{% if %}", 2), ("{{ 1 ", 1), ("\n\n{{ x | nofilter }}", 3), ("{% endfor %}", 1), ("{{ a ** b }}", 1)],
)
def test_p48_a_template_that_cannot_be_compiled_names_the_line(source: str, line: int) -> None:
    with pytest.raises(TemplateInvalid) as invalid:
        template(source)
    assert invalid.value.line == line
    assert f"(line {line} of the chat template)" in invalid.value.message


def test_a_template_is_compiled_once_for_all_models_that_share_it() -> None:
    assert compile_template(T0) is compile_template("".join(T0))


def test_the_document_s_llama_2_template_gives_its_prompt() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " Hi "},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    assert render(LLAMA_2, messages) == (
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello </s><s>[INST] Bye [/INST]"
    )


def test_the_document_s_llama_2_template_refuses_roles_that_do_not_alternate() -> None:
    with pytest.raises(TemplateRaised) as raised:
        render(LLAMA_2, [*HI, *HI])
    assert raised.value.message == "Conversation roles must alternate user/assistant/user/assistant/..."


def test_tools_are_rendered_with_the_template_named_for_them() -> None:
    chat = template("default", chat_templates={"tool_use": "tools:{{ tools[0].x }}", "rag": "{% never compiled"})
    assert [chat.render(HI), chat.render(HI, tools=[]), chat.render(HI, tools=[{"x": 1}])] == [
        "default",
        "default",
        "tools:1",
    ]


def test_a_default_template_may_be_among_the_named_ones() -> None:
    assert ChatTemplate(Model(name="m", chat_templates={"default": "d"})).render(HI) == "d"


def test_a_model_without_a_template_is_refused() -> None:
    with pytest.raises(TemplateInvalid, match="no chat template named default"):
        ChatTemplate(Model(name="m", chat_templates={"rag": "r"}))


def test_a_template_for_tools_alone_is_no_template_for_plain_requests() -> None:
    chat = ChatTemplate(Model(name="m", chat_templates={"tool_use": "t"}))
    assert chat.render(HI, tools=[{}]) == "t"
    with pytest.raises(TemplateInvalid, match="no template named default"):
        chat.render(HI)


def test_special_tokens_and_variables_of_the_request_reach_the_template() -> None:
    source = "{{ pad_token }}{{ additional_special_tokens | join }}{{ enable_thinking }}{{ reasoning_effort }}"
    prompt = render(
        source,
        model={"special_tokens": {"pad_token": "<pad>", "additional_special_tokens": ["<a>", "<b>"]}},
        chat_template_kwargs={"enable_thinking": False, "nothing": None},
        reasoning_effort="high",
    )
    assert prompt == "<pad><a><b>Falsehigh"


def test_reasoning_effort_that_is_no_string_is_left_undefined() -> None:
    assert render("{{ reasoning_effort is defined }}", reasoning_effort=3) == "False"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"messages": "x"}, "invalid_value"),
        ({"tools": None}, "invalid_value"),
        ({"documents": 1}, "invalid_value"),
        ({"add_generation_prompt": True}, "invalid_value"),
        ({"bos_token": "x"}, "invalid_value"),
        ({"mask_token": "x"}, "invalid_value"),
        ({"own_token": "x"}, "invalid_value"),
        ({"raise_exception": "x"}, "invalid_value"),
        ({"strftime_now": "x"}, "invalid_value"),
        ({"a": {}}, "invalid_type"),
        ({"a": [1]}, "invalid_type"),
        ("text", "invalid_type"),
        ([], "invalid_type"),
    ],
)
def test_template_variables_of_a_request_are_scalars_under_free_names(values: Any, code: str) -> None:
    with pytest.raises(MessagesRefused) as refused:
        render(model={"special_tokens": {"own_token": "<o>"}}, chat_template_kwargs=values)
    assert (refused.value.param, refused.value.code) == ("chat_template_kwargs", code)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(MessagesRefused) as refused:
        render("{% if false %}a{% endif %}")
    assert (refused.value.param, refused.value.code) == ("messages", "invalid_value")


RECORDED = json.loads(Path(__file__).with_name("test_templates_recorded.json").read_text())


def gets_other_messages(case: dict[str, Any]) -> bool:
    """Whether a call in the form that is refused as it is: `test_templates_public` has the form that is not."""
    return case["text"] is None and any("tool_calls" in message for message in case["messages"])


@pytest.mark.parametrize("name", sorted(RECORDED["templates"]))
def test_prompts_are_those_that_transformers_makes(name: str) -> None:
    """Recorded with transformers 5.23.0. `null` stands for a conversation that it refuses."""
    chats = {bos: template(RECORDED["templates"][name], bos_token=bos) for bos in ("<s>", None)}
    cases = [case for case in RECORDED["cases"] if case["template"] == name and not gets_other_messages(case)]
    rendered: list[str | None] = []
    for case in cases:
        arguments = {**case["arguments"], "messages": case["messages"]}
        try:
            rendered.append(chats[case["bos_token"]].render(**arguments))
        except (TemplateRaised, MessagesRefused):
            rendered.append(None)
    assert rendered == [case["text"] for case in cases]
