"""The chat model as the registry holds it, completed from the Hub and compiled as the gateway will."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gateway_lambda.registry.record import Limits, Model
from infra.planning import (
    ChatTemplate,
    ModelRepository,
    OpenRepository,
    PlanError,
    ServicePlan,
    Tokens,
    resolve_with,
    unresolved,
    unresolved_out_of_reach,
)
from tests.planning.hub_server import SHA, TOKEN, Hub, Repository

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\n"
FILES = {
    "tokenizer_config.json": json.dumps(
        {
            "chat_template": [
                {"name": "default", "template": "{{ bos_token }}D"},
                {"name": "tool_use", "template": "T"},
            ],
            "eos_token": {"content": "<|eot|>"},
            "bos_token": "<s>",
            "pad_token": "<pad>",
            "added_tokens_decoder": {"2": {"content": "</s>"}},
        }
    ).encode(),
    "generation_config.json": json.dumps({"eos_token_id": [2]}).encode(),
}


def test_a_model_without_a_template_is_completed_from_its_repository(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/model"] = Repository(FILES)
    assert plan(f"{SERVICE}model: {{name: owner/model, format: tgi}}\n").model == Model(
        name="owner/model",
        chat_template="{{ bos_token }}D",
        chat_templates={"tool_use": "T"},
        eos_token="<|eot|>",
        bos_token="<s>",
        special_tokens={"pad_token": "<pad>"},
        hub_repo="owner/model",
        revision=SHA,
        stop_strings=["<|eot|>", "</s>"],
    )


def test_what_the_configuration_gives_wins_over_what_is_found(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/other"] = Repository(FILES)
    text = f"""{SERVICE}
model:
  name: alias
  hub_repo: owner/other
  eos_token: "<end>"
  bos_token: "<begin>"
  special_tokens: {{pad_token: "<mine>", more: ["<a>"]}}
  chat_templates: {{tool_use: mine}}
"""
    assert plan(text).model == Model(
        name="alias",
        chat_template="{{ bos_token }}D",
        chat_templates={"tool_use": "mine"},
        eos_token="<end>",
        bos_token="<begin>",
        special_tokens={"pad_token": "<mine>", "more": ["<a>"]},
        hub_repo="owner/other",
        revision=SHA,
        stop_strings=["<end>", "<|eot|>", "</s>"],
    )
    assert plan(text + "  stop_strings: [x]\n").model.stop_strings == ["x"]


def test_a_given_template_is_kept_when_only_the_eos_token_is_looked_up(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/model"] = Repository(FILES)
    model = plan(f"{SERVICE}model: {{name: owner/model, chat_template: mine}}\n").model
    assert (model.chat_template, model.chat_templates, model.eos_token) == ("mine", {}, "<|eot|>")


def test_nothing_is_fetched_when_template_and_eos_token_are_given(hub: Hub, plan: Plan) -> None:
    text = f"{SERVICE}model: {{name: owner/model, chat_template: T, eos_token: E}}\n"
    assert plan(text).model == Model(name="owner/model", chat_template="T", eos_token="E")
    assert hub.requests == []


@pytest.mark.parametrize("model", ["owner/model", "{name: owner/model, format: openai, prefix: /v2}"])
def test_an_openai_server_needs_no_template(hub: Hub, plan: Plan, model: str) -> None:
    prefix = "/v2" if "v2" in model else "/v1"
    assert plan(f"{SERVICE}model: {model}\n").model == Model(name="owner/model", format="openai", prefix=prefix)
    assert hub.requests == []


def test_a_service_without_a_model_has_none(plan: Plan) -> None:
    assert plan(SERVICE).model is None


def test_every_other_field_is_handed_on(plan: Plan) -> None:
    text = f"""{SERVICE}
model:
  name: m
  chat_template: T
  eos_token: E
  strip_bos: never
  limits: {{max_stop_sequences: 2, max_top_n_tokens: 3, max_total_tokens: 4, max_input: 5}}
  default_max_tokens: 6
  clamp_max_tokens: true
  max_n: 7
  unsupported_params: drop
  tools: hermes
  json_object: regex
  vision: true
  image_hosts: [images.example.com]
  prefill: new_turn
  control_tokens_in_input: strip
  adapter_id: a
"""
    assert plan(text).model == Model(
        name="m",
        chat_template="T",
        eos_token="E",
        strip_bos="never",
        limits=Limits(max_stop_sequences=2, max_top_n_tokens=3, max_total_tokens=4, max_input=5),
        default_max_tokens=6,
        clamp_max_tokens=True,
        max_n=7,
        unsupported_params="drop",
        tools="hermes",
        json_object="regex",
        vision=True,
        image_hosts=["images.example.com"],
        prefill="new_turn",
        control_tokens_in_input="strip",
        adapter_id="a",
    )


def test_a_broken_template_of_the_hub_is_an_error_that_says_where_it_is_from(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/model"] = Repository({"chat_template.jinja": b"line one\n{% if %}"})
    with pytest.raises(PlanError) as caught:
        plan(f"{SERVICE}model: {{name: owner/model}}\n")
    (problem,) = caught.value.problems
    assert problem.rule.startswith("the template in chat_template.jinja of owner/model cannot be compiled: ")
    assert "line 2" in problem.rule


def test_templates_that_the_registry_cannot_hold_are_refused(hub: Hub, plan: Plan) -> None:
    files = {f"additional_chat_templates/{name}.jinja": b"x" * 200_000 for name in "ab"}
    hub.repositories["owner/model"] = Repository({"chat_template.jinja": b"T", **files})
    with pytest.raises(PlanError, match="at most 390 KB together"):
        plan(f"{SERVICE}model: {{name: owner/model}}\n")


def test_text_that_is_none_is_refused(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/model"] = Repository({"tokenizer_config.json": b'{"chat_template": "\\ud800"}'})
    with pytest.raises(PlanError, match="surrogate pair"):
        plan(f"{SERVICE}model: {{name: owner/model}}\n")


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_service_s_own_token_is_used(hub: Hub, plan: Plan, variable: str) -> None:
    hub.repositories["owner/model"] = Repository(FILES, gated=True)
    text = f"{SERVICE}env: [{variable}]\nmodel: {{name: owner/model}}\n"
    assert plan(text, environment={variable: TOKEN, "HF_HUB_TOKEN": "not this"}).model is not None
    assert hub.tokens == {TOKEN}


def test_a_token_that_the_service_does_not_have_is_not_used(hub: Hub, plan: Plan) -> None:
    hub.repositories["owner/model"] = Repository(FILES, gated=True)
    with pytest.raises(PlanError, match="the service has no Hub token"):
        plan(f"{SERVICE}model: {{name: owner/model}}\n", environment={"HF_TOKEN": TOKEN})
    assert hub.tokens == {None}


def test_an_unresolved_template_is_a_problem_beside_the_others(hub: Hub, plan: Plan) -> None:
    with pytest.raises(PlanError) as caught:
        plan(f"{SERVICE}env: [MODEL_ID=owner/model, B]\nmodel: {{name: alias}}\n")
    first, second = caught.value.problems
    assert first.where == "env.B"
    assert (second.where, second.line) == ("model.chat_template", 5)
    assert "the Hub has no public repository alias (401)" in second.rule
    assert "set model.hub_repo to owner/model to look there" in second.remedy
    assert hub.requests == ["GET /api/models/alias"]


def test_a_plan_can_be_made_with_another_way_to_find_templates(hub: Hub, plan: Plan) -> None:
    asked: list[ModelRepository] = []

    def resolve(wanted: ModelRepository) -> ChatTemplate:
        asked.append(wanted)
        tokens = Tokens(eos="<end>", bos=None, others={}, ends=("<end>",))
        return ChatTemplate(template="own", named={}, origin="a file", tokens=tokens, sha=None)

    model = plan(f"{SERVICE}model: {{name: m, revision: v1}}\n", resolve=resolve).model
    assert (model.chat_template, model.eos_token, model.stop_strings, model.revision) == (
        "own",
        "<end>",
        ["<end>"],
        "v1",
    )
    assert asked == [ModelRepository(repo="m", revision="v1", token=None)]
    assert hub.requests == []


def test_a_template_can_be_left_unresolved_on_purpose(plan: Plan) -> None:
    assert plan(f"{SERVICE}model: {{name: m}}\n", resolve=unresolved).model.chat_template is None


def test_only_a_hub_that_is_out_of_reach_leaves_a_template_unresolved(
    hub: Hub, plan: Plan, open_repository: OpenRepository
) -> None:
    resolve = unresolved_out_of_reach(resolve_with(open_repository))
    text = f"{SERVICE}model: {{name: owner/model}}\n"
    with pytest.raises(PlanError, match="the Hub has no public repository owner/model"):
        plan(text, resolve=resolve)
    hub.failures[:] = [503] * 3
    assert plan(text, resolve=resolve).model.chat_template is None
    hub.repositories["owner/model"] = Repository(FILES)
    assert plan(text, resolve=resolve).model.chat_template == "{{ bos_token }}D"
