"""Public templates: the gateway makes the prompt that transformers makes of the messages that the model's card shows.

templates/templates.csv has that form for each template. The oracle here brings a conversation into this form and
renders it with Jinja set up as transformers sets it up. It shares no code with the gateway.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import string
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox
import pytest
from jinja2 import nodes
from jinja2.parser import Parser

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate, TemplateError

DATA = Path(__file__).with_name("templates")
ROWS = {row["template"]: row for row in csv.DictReader((DATA / "templates.csv").read_text().splitlines())}
GIVEN = json.loads((DATA / "conversations.json").read_text())
REFUSED = json.loads((DATA / "refused.json").read_text())
NOW = datetime.datetime(2026, 11, 9, 12, 0)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
TAG = "CONTINUE_FINAL_MESSAGE_TAG "
ALPHABET = string.ascii_letters + string.digits


class Generation(jinja2.ext.Extension):
    """The tag of transformers: it prints its body."""

    tags = {"generation"}  # noqa: RUF012  # as the base declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("show"), [], [], body).set_lineno(line)

    def show(self, caller: Any) -> str:
        return caller()


def environment() -> jinja2.Environment:
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, **more: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **more)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    made.filters["tojson"] = tojson
    functions: dict[str, Any] = made.globals
    functions.update(raise_exception=raise_exception, strftime_now=NOW.strftime)
    return made


def nine(identity: str) -> str:
    """An id of nine characters for one of another form: base 62 of its SHA-256, the lowest digit first."""
    if len(identity) == 9 and identity.isalnum():
        return identity
    number = int(hashlib.sha256(identity.encode()).hexdigest(), 16)
    return "".join(ALPHABET[number // 62**place % 62] for place in range(9))


def text_of(part: dict[str, Any]) -> str:
    if part["type"] == "image_url":
        return f"![]({part['image_url']['url']})"
    return part[part["type"]]


def content_of(message: dict[str, Any], role: str, row: Mapping[str, str]) -> Any:
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, str):
        texts = role not in row["parts"].split() or row["text"] == "yes"
        return content if texts else [{"type": "text", "text": content}]
    if role in row["parts"].split():
        return [{"type": "text", "text": text_of(part)} for part in content]
    runs = groupby(content, key=lambda part: part["type"] == "image_url")
    return "".join(("" if images else "\n").join(map(text_of, run)) for images, run in runs)


def arguments_of(text: str, row: Mapping[str, str]) -> Any:
    """The arguments. What a model did not finish stays a text, or is in an object where only an object can be."""
    text = "{}" if text in ("", "null") else text
    if row["arguments"] == "text":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return {"INVALID_JSON": text} if row["arguments"] == "only objects" else text


def call_of(call: dict[str, Any], row: Mapping[str, str]) -> dict[str, Any]:
    function = call["function"]
    return {
        **call,
        "id": nine(call["id"]) if row["ids"] == "nine" else call["id"],
        "function": {**function, "arguments": arguments_of(function["arguments"], row)},
    }


def instructions_first(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages where only the first one can instruct: the others are text of the users' turns."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        instructs = message["role"] in ("system", "developer")
        role = "user" if instructs and turns and turns[-1]["role"] != "system" else message["role"]
        if turns and turns[-1]["role"] == role and (instructs or turns[-1].get("instructs")):
            text = turns[-1]["content"] + "\n\n" + message["content"]
            turns[-1] = {"role": role, "content": text, "instructs": instructs}
        else:
            turns.append({**message, "role": role, "instructs": instructs})
    return [{key: value for key, value in turn.items() if key != "instructs"} for turn in turns]


def card_messages(messages: list[dict[str, Any]], row: Mapping[str, str]) -> list[dict[str, Any]]:
    """The messages as the model's card writes them."""
    if row["system"] == "first":
        messages = instructions_first(messages)
    names = {call["id"]: call["function"]["name"] for m in messages for call in m.get("tool_calls", ())}
    made: list[dict[str, Any]] = []
    for message in messages:
        role = "system" if message["role"] == "developer" and row["developer"] == "no" else message["role"]
        changed = {**message, "role": role, "content": content_of(message, role, row)}
        if changed.get("refusal", "") is None:
            del changed["refusal"]
        if "reasoning_content" in changed:
            changed["thinking"] = changed["reasoning_content"]
        if "tool_calls" in message:
            changed["tool_calls"] = [call_of(call, row) for call in message["tool_calls"]]
            if not message.get("content"):
                if row["empty"] == "null":
                    changed["content"] = None
                elif row["empty"] == "absent":
                    del changed["content"]
        if role == "tool":
            identity = message["tool_call_id"]
            changed["name"] = names[identity]
            changed["tool_call_id"] = nine(identity) if row["ids"] == "nine" else identity
        made.append(changed)
    return made


def oracle(template: jinja2.Template, conversation: dict[str, Any], row: Mapping[str, str]) -> str:
    """The prompt, or what the template says where it refuses the conversation."""
    messages = card_messages(conversation["messages"], row)
    continued = conversation.get("continue_final_message", False)
    if continued:
        last = messages[-1]["content"]
        if isinstance(last, str):
            messages[-1]["content"] = last + TAG
        else:
            last[-1]["text"] += TAG
    try:
        text = template.render(
            messages=messages,
            tools=GIVEN["tools"] if conversation["tools"] else None,
            documents=None,
            add_generation_prompt=not continued,
            **TOKENS,
        )
    except Exception as problem:  # a template can raise anything that Python can
        return f"refused: {problem}"
    if not continued:
        return text
    end = text.rindex(TAG.strip())
    return text[:end] if text.startswith(TAG, end) else text[:end].rstrip()


def gateway(chat: ChatTemplate, conversation: dict[str, Any]) -> str:
    try:
        return chat.render(
            conversation["messages"],
            tools=GIVEN["tools"] if conversation["tools"] else None,
            continue_final_message=conversation.get("continue_final_message"),
        )
    except TemplateError as problem:
        return f"refused: {problem.message}"


@pytest.mark.parametrize("name", sorted(ROWS))
def test_each_conversation_renders_as_the_model_s_own_library_renders_it(name: str) -> None:
    source = (DATA / f"{name}.jinja").read_bytes().decode()
    chat = ChatTemplate(
        Model(
            name="m",
            chat_template=source,
            bos_token=TOKENS["bos_token"],
            eos_token=TOKENS["eos_token"],
            special_tokens={"unk_token": TOKENS["unk_token"], "pad_token": TOKENS["pad_token"]},
            vision=True,
            prefill="new_turn",
        ),
        now=lambda: NOW,
    )
    template = environment().from_string(source)
    conversations = GIVEN["conversations"].items()
    prompts = {title: gateway(chat, conversation) for title, conversation in conversations}
    refused = {title: text for title, text in prompts.items() if text.startswith("refused: ")}
    assert refused == REFUSED.get(name, {})
    assert {title: text for title, text in prompts.items() if title not in refused} == {
        title: oracle(template, conversation, ROWS[name])
        for title, conversation in conversations
        if title not in refused
    }


def test_all_templates_have_a_row_and_only_they() -> None:
    assert sorted(ROWS) == sorted(path.stem for path in DATA.glob("*.jinja"))
    assert set(REFUSED) <= set(ROWS)
