"""What is asked of the Hub about a service's model, with the real huggingface_hub against a Hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.configuration import Secret
from infra.planning import HubError, HubOutOfReachError, PlanError
from infra.planning.chat_template import ModelRepository
from infra.planning.hub_weights import access_on_hub, weigh_on_hub
from infra.planning.weights import Weigh, unweighed_out_of_reach
from infra.preflight import Finding
from infra.preflight.model import check_model
from tests.preflight.canned import CannedAws
from tests.preflight.hub import OTHER_TOKEN, TOKEN, Hub, Model, files, safetensors, serve_hub
from tests.preflight.plans import clients, service_plan

GIB = 2**30
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
SEVEN = safetensors(BF16=7_248_023_552)
"""Of that model, as the Hub counts it: 13.5 GiB."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as served:
        served.models[MISTRAL] = Model(SEVEN)
        yield served


def weigh(hub: Hub) -> Weigh:
    return weigh_on_hub({"HF_ENDPOINT": hub.url}, pauses=(0, 0))


def plan(resources: str = "gpu: 24GB", env: str = "", token: str | None = None, **said: Any) -> Any:
    secret = "" if token is None else f"  HF_TOKEN: {token}\n"
    text = (
        "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.6\nport: 80\n"
        f"env:\n  MODEL_ID: {MISTRAL}\n{env}{secret}commands: [text-generation-launcher]\n"
    )
    return service_plan(f"{text}resources: {{{resources}}}\n" if resources else text, **said)


def asked(hub: Hub, planned: Any = None, **said: Any) -> list[Finding]:
    hub_clients = {"check_access": access_on_hub({"HF_ENDPOINT": hub.url}, pauses=(0, 0)), "weigh": weigh(hub)}
    findings = check_model(clients(CannedAws({}), **hub_clients), planned or plan(**said))
    assert all(TOKEN not in str(finding) and OTHER_TOKEN not in str(finding) for finding in findings)
    return findings


def found(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.level, finding.topic, finding.message) for finding in findings]


def test_a_model_that_everybody_may_read_and_that_fits_is_well(hub: Hub) -> None:
    assert found(asked(hub)) == [
        ("ok", "Hub model", f"everybody can read {MISTRAL}"),
        (
            "ok",
            "GPU memory",
            f"{MISTRAL} needs 16.2 GiB (13.5 GiB of weights, 7.2 billion parameters); the smallest offer has 22.4 GiB",
        ),
    ]


def test_a_gated_model_is_read_with_a_token_that_may(hub: Hub) -> None:
    hub.models[MISTRAL].gated = True
    assert found(asked(hub, token=TOKEN))[0] == ("ok", "Hub model", f"the service's token can read {MISTRAL}")


@pytest.mark.parametrize(
    ("gated", "token", "message"),
    [
        (True, None, f"{MISTRAL} is gated (401), and the service has no Hub token: accept its conditions at "),
        (
            True,
            OTHER_TOKEN,
            f"{MISTRAL} is gated (403), and the account of the service's Hub token has no access to it: request "
            "access at ",
        ),
        (
            False,
            "hf_expired",
            "the Hub does not accept the service's token (401): it is expired, revoked or mistyped: create a new "
            "token ",
        ),
        (False, '"hf_with a space"', "the service's Hub token is empty, or has a space, a line break or another "),
    ],
    ids=["gated, no token", "gated for the token", "expired token", "no token at all"],
)
def test_a_model_that_the_service_may_not_read_is_refused(
    hub: Hub, gated: bool, token: str | None, message: str
) -> None:
    hub.models[MISTRAL].gated = gated
    [finding] = asked(hub, token=token)
    assert (finding.level, finding.topic, finding.message[: len(message)]) == ("refusal", "Hub model", message)
    assert "hf_expired" not in finding.message
    assert "hf_with" not in finding.message


def test_a_model_that_does_not_exist_is_refused(hub: Hub) -> None:
    del hub.models[MISTRAL]
    [finding] = asked(hub)
    assert finding.level == "refusal"
    assert finding.message.startswith(f"the Hub has no public repository {MISTRAL} (401)")


def test_a_hub_that_does_not_answer_is_a_warning(hub: Hub) -> None:
    hub.failures = [503, 503, 503]
    assert found(asked(hub)) == [
        (
            "warning",
            "Hub model",
            f"not checked whether replicas may fetch the model: the Hub at {hub.url}, which is needed for data about "
            f"{MISTRAL}, answered 503; try again later",
        )
    ]


def test_a_hub_that_answers_the_second_time_is_well(hub: Hub) -> None:
    hub.failures = [503]
    assert [finding.level for finding in asked(hub)] == ["ok", "ok"]


def test_a_hub_that_is_silent_or_slow_is_given_up_after_the_timeout(hub: Hub) -> None:
    hub.failures = [0, -1, 0, -1]
    wanted = ModelRepository(repo=MISTRAL, revision=None, token=None)
    for question in (access_on_hub, access_on_hub, weigh_on_hub, weigh_on_hub):
        with pytest.raises(HubOutOfReachError, match=r"did not answer within 0\.2 s"):
            question({"HF_ENDPOINT": hub.url}, timeout=0.2, pauses=())(wanted)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Sign in to the network</html>",
        b"[]",
        b"{}",
        b"null",
        b"[" * 200_000,
        b"\xff\xfe",
        b'{"id": "m", "siblings": "many"}',
        b'{"id": "m", "siblings": [{}]}',
        b'{"id": "m", "siblings": [{"rfilename": "model.safetensors", "size": "large"}]}',
        b'{"id": "m", "safetensors": {"parameters": {"BF16": "many"}, "total": 1}}',
        b'{"id": "m", "safetensors": {"parameters": 5, "total": 1}}',
        b'{"id": "m", "safetensors": {"parameters": {"BF16": NaN}, "total": 1}}',
        b'{"id": "m", "safetensors": {"parameters": {"BF16": -1}, "total": 1}}',
        b'{"id": "m", "config": 5}',
    ],
)
def test_a_page_that_is_no_answer_of_the_hub_is_a_warning(hub: Hub, page: bytes) -> None:
    hub.pages[MISTRAL] = page
    [readable, memory] = asked(hub)
    assert (readable.level, memory.level, memory.topic) == ("ok", "warning", "GPU memory")
    assert memory.message.startswith("not checked whether the model fits: the Hub ")


def test_a_hub_of_somebodys_own_that_cannot_say_who_may_read_is_a_warning(hub: Hub) -> None:
    hub.without_checks = True
    [finding] = asked(hub)
    assert (finding.level, finding.topic) == ("warning", "Hub model")
    assert finding.message.startswith(
        f"not checked whether replicas may fetch the model: the Hub at {hub.url}, which is needed for data about "
    )


def test_the_hub_that_the_service_itself_asks_is_asked_with_its_token(hub: Hub) -> None:
    """A token is sent to no other Hub than the one that it is for."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    given = clients(
        CannedAws({}), check_access=access_on_hub(nowhere, pauses=()), weigh=weigh_on_hub(nowhere, pauses=())
    )
    findings = check_model(given, plan(env=f"  HF_ENDPOINT: {hub.url}/\n", token=TOKEN))
    assert [finding.level for finding in findings] == ["ok", "ok"]


def test_a_password_in_the_hubs_address_is_not_shown() -> None:
    site = "http://ana:password@127.0.0.1:9"
    with pytest.raises(HubError) as caught:
        access_on_hub({"HF_ENDPOINT": site}, pauses=())(ModelRepository(repo=MISTRAL, revision=None, token=None))
    assert caught.value.rule == (
        f"the Hub at http://127.0.0.1:9, which is needed for data about {MISTRAL}, cannot be reached (ConnectError)"
    )


def test_a_hub_that_is_asked_too_often_says_what_helps(hub: Hub) -> None:
    hub.failures = [429, 429, 429]
    assert found(asked(hub))[0][2].endswith(
        "; try again in a few minutes, or put a token into env as HF_TOKEN or HUGGING_FACE_HUB_TOKEN, which "
        "raises the limit"
    )


def test_offline_nothing_is_asked(hub: Hub) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"}
    with pytest.raises(HubOutOfReachError, match="HF_HUB_OFFLINE"):
        weigh_on_hub(environment)(ModelRepository(repo=MISTRAL, revision=None, token=None))
    assert hub.asked == []


def test_a_model_that_no_server_is_told_to_load_is_at_most_a_warning(hub: Hub) -> None:
    """The name of a model is what clients send; a server with weights of its own may give it any."""
    text = (
        "type: service\nimage: x\nport: 80\nmodel: {type: chat, name: our/own, format: openai}\n"
        "resources: {gpu: 24GB}\n"
    )
    [finding] = asked(hub, service_plan(text))
    assert (finding.level, finding.topic) == ("warning", "Hub model")
    assert "; this matters only if the container loads this model, which its command does not say: correct " in (
        finding.message
    )


def test_a_revision_that_is_not_there_is_refused(hub: Hub) -> None:
    [finding] = asked(hub, env="  REVISION: v9\n")
    assert (finding.level, finding.topic) == ("refusal", "Hub model")
    assert finding.message.startswith(f"{MISTRAL} has no revision 'v9' (404): choose one of ")


def test_a_model_on_some_of_a_machines_gpus_has_their_memory_alone(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(safetensors(BF16=14_770_033_664))
    everywhere = asked(hub, resources="gpu: A10G:4, cpu: 48..48")
    assert found(everywhere)[1][0] == "ok"
    assert found(asked(hub, resources="gpu: A10G:4, cpu: 48..48", env="  NUM_SHARD: 1\n"))[1] == (
        "warning",
        "GPU memory",
        f"{MISTRAL} needs 33.0 GiB (27.5 GiB of weights, 14.8 billion parameters), but the largest offer is "
        "g5.12xlarge with 22.4 GiB (the server uses 1 of 4 GPUs), so replicas will most likely run out of GPU memory: "
        "ask for more under resources.gpu, let the server use more of its GPUs, or use a quantized model",
    )
    [_, few] = asked(hub, resources="gpu: A10G:1..4, cpu: 4..48", env="  NUM_SHARD: 4\n")
    assert (
        "which does not fit into g5.xlarge with 1 of the 4 GPUs that the server uses, g5.2xlarge with " in few.message
    )
    assert few.message.endswith(": set gpu to 24GB:4")


def test_a_model_that_some_offers_have_no_memory_for_is_a_warning_with_the_numbers(hub: Hub) -> None:
    assert found(asked(hub, resources="gpu: 16GB..24GB, cpu: 4..4"))[1] == (
        "warning",
        "GPU memory",
        f"{MISTRAL} needs 16.2 GiB (13.5 GiB of weights, 7.2 billion parameters), which does not fit into g4dn.xlarge "
        "with 15.0 GiB, and AWS can start any of the offers: set gpu to 24GB",
    )


def test_a_model_that_no_offer_has_memory_for_is_a_warning_with_the_largest(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(safetensors(BF16=70_553_706_496))
    assert found(asked(hub, resources="gpu: A10G:1"))[1] == (
        "warning",
        "GPU memory",
        f"{MISTRAL} needs 157.7 GiB (131.4 GiB of weights, 70.6 billion parameters), but the largest offer is "
        "g5.xlarge with 22.4 GiB, so replicas will most likely run out of GPU memory: ask for more under "
        "resources.gpu, or use a quantized model",
    )


def test_a_repository_without_weights_is_a_warning(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(files(README_md=100))
    assert found(asked(hub))[1] == (
        "warning",
        "GPU memory",
        f"not checked whether the model fits: the Hub does not know the size of the weights of {MISTRAL}; set "
        "resources.gpu to what the model needs",
    )


def test_a_service_without_a_model_asks_nothing(hub: Hub) -> None:
    given = clients(CannedAws({}), check_access=access_on_hub({"HF_ENDPOINT": hub.url}))
    assert check_model(given, service_plan()) == []
    assert hub.asked == []


WEIGHTS = {
    "16 bits": (safetensors(BF16=GIB), 2.0),
    "32 bits, loaded as 16": (safetensors(F32=GIB), 2.0),
    "a few indexes beside": (safetensors(F16=GIB, F32=2**20), 2.002),
    "a few of whole numbers beside": (safetensors(BF16=GIB, I64=512), 2.0),
    "quantized, by its files": (
        {**safetensors(I32=GIB, F16=2**20), "siblings": [{"rfilename": "model.safetensors", "size": GIB}]},
        1.0,
    ),
    "quantized, as its configuration says": (
        {
            **safetensors(BF16=GIB),
            "config": {"quantization_config": {"quant_method": "fp8"}},
            "siblings": [{"rfilename": "model.safetensors", "size": GIB}],
        },
        1.0,
    ),
    "shards beside the same weights in one file": (
        {
            "siblings": [
                {"rfilename": "model-00001-of-00002.safetensors", "size": GIB},
                {"rfilename": "model-00002-of-00002.safetensors", "size": GIB},
                {"rfilename": "consolidated.safetensors", "size": 2 * GIB},
                {"rfilename": "onnx/model.safetensors", "size": GIB},
                {"rfilename": "pytorch_model.bin", "size": 2 * GIB},
            ]
        },
        2.0,
    ),
    "only in one file": (files(consolidated_safetensors=GIB), 1.0),
    "pickled": (files(pytorch_model_bin=GIB, training_args_bin=5), 1.0),
}


@pytest.mark.parametrize(("info", "gib"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_are_what_lies_on_the_gpu(hub: Hub, info: dict[str, Any], gib: float) -> None:
    hub.models[MISTRAL] = Model(info)
    weights = weigh(hub)(ModelRepository(repo=MISTRAL, revision=None, token=None))
    assert weights is not None
    assert weights.gib == pytest.approx(gib, abs=0.001)


def test_a_revision_is_asked_for(hub: Hub) -> None:
    weigh(hub)(ModelRepository(repo=MISTRAL, revision="v1", token=None))
    assert hub.asked == [f"/api/models/{MISTRAL}/revision/v1?blobs=true"]


def test_a_token_is_never_in_an_error(hub: Hub) -> None:
    with pytest.raises(HubError) as caught:
        weigh(hub)(ModelRepository(repo="nobody/nothing", revision=None, token=Secret(TOKEN)))
    assert TOKEN not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None


def test_where_gpu_is_left_out_the_smallest_that_fits_is_chosen_and_said(hub: Hub) -> None:
    chosen = plan(resources="", weigh=weigh(hub))
    assert {(offer.gpu_count, offer.gpu_memory_gb) for offer in chosen.offers} == {(1, 24)}
    assert chosen.offers[0].instance_type == "g6.xlarge"
    assert chosen.notes[0] == (
        f"gpu is not set. {MISTRAL} needs 16.2 GiB of GPU memory (13.5 of weights, from 7.2 billion parameters), so "
        "the plan uses the smallest that fits: 24GB (A10G, L4). Set gpu to choose."
    )


def test_what_a_card_keeps_of_its_memory_is_not_counted(hub: Hub) -> None:
    """15.1 GiB: a T4 is sold with 16, and a model can have 15."""
    hub.models[MISTRAL] = Model(safetensors(F16=6_738_415_616))
    assert {offer.gpu_memory_gb for offer in plan(resources="", weigh=weigh(hub)).offers} == {24}


def test_a_server_that_puts_a_model_onto_one_gpu_gets_one_that_has_it(hub: Hub) -> None:
    """vLLM, which is not told of several; the plan says what is idle then."""
    hub.models[MISTRAL] = Model(safetensors(BF16=32_000_000_000))
    text = (
        f"type: service\nimage: vllm/vllm-openai\nport: 80\nenv: [MODEL_ID={MISTRAL}]\n"
        "commands: [vllm serve $MODEL_ID TWO]\n"
    )
    one = service_plan(text.replace("TWO", ""), weigh=weigh(hub))
    assert {(offer.gpu, offer.gpu_count) for offer in one.offers} == {("H100", 1)}
    two = service_plan(text.replace("TWO", "--tensor-parallel-size 2"), weigh=weigh(hub))
    assert {(offer.gpu, offer.gpu_count) for offer in two.offers} == {("RTXPRO6000", 2)}
    hub.models[MISTRAL] = Model(safetensors(BF16=70_553_706_496))
    idle = service_plan(text.replace("TWO", ""), weigh=weigh(hub))
    assert idle.notes[0].endswith(
        "so the plan uses the smallest that fits: 180GB:8 (B200); the server uses 1 of the GPUs. Set gpu to choose."
    )


def test_what_is_quantized_while_loading_takes_less(hub: Hub) -> None:
    chosen = plan(resources="", env="  QUANTIZE: bitsandbytes-nf4\n", weigh=weigh(hub))
    assert {offer.gpu_memory_gb for offer in chosen.offers} == {16}


def test_a_model_for_several_gpus_gets_the_smallest_number_that_has_it(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(safetensors(BF16=70_553_706_496))
    chosen = plan(resources="", weigh=weigh(hub))
    assert {(offer.gpu, offer.gpu_count) for offer in chosen.offers} == {("RTXPRO6000", 2)}, (
        "2 x 96, 4 x 48 and 8 x 24 GB are as much"
    )


def test_a_model_that_nothing_fits_is_refused_by_the_plan(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(safetensors(BF16=10**13))
    with pytest.raises(PlanError) as caught:
        plan(resources="", weigh=weigh(hub))
    assert "resources.gpu\n  rule:   it is not set, and no offer fits: mistralai/Mistral-7B" in str(caught.value)


def test_where_gpu_is_left_out_and_the_hub_does_not_answer_the_plan_says_to_set_it(hub: Hub) -> None:
    hub.failures = [503, 503, 503]
    with pytest.raises(PlanError) as caught:
        plan(resources="", weigh=weigh(hub))
    assert str(caught.value) == (
        "test.dstack.yml: 1 problem\n\n"
        "resources.gpu\n"
        f"  rule:   it is not set, and the program cannot choose one: the Hub at {hub.url}, which is needed for data "
        f"about {MISTRAL}, answered 503\n"
        "  remedy: set gpu, for example 24GB, or try again later"
    )


def test_a_plan_that_is_only_shown_goes_on_with_every_gpu_and_says_so(hub: Hub) -> None:
    hub.failures = [503, 503, 503]
    shown = plan(resources="", weigh=unweighed_out_of_reach(weigh(hub)))
    assert len(shown.offers) > 20
    assert shown.notes[0] == (
        f"gpu is not set, and this command does not know how large {MISTRAL} is, so the plan shows every GPU that "
        "satisfies the other requirements. pulumi up asks the Hub, and uses the smallest GPU that fits. Set gpu, for "
        "example 24GB, to choose."
    )
    text = "type: service\nimage: x\nport: 80\nenv: [MODEL_ID=nobody/nothing]\n"
    with pytest.raises(PlanError, match="the Hub has no public repository nobody/nothing"):
        service_plan(text, weigh=unweighed_out_of_reach(weigh(hub)))


def test_a_gpu_that_is_said_is_not_weighed(hub: Hub) -> None:
    assert len(plan(resources="gpu: 1", weigh=weigh(hub)).offers) > 20
    assert hub.asked == []


def test_instance_types_that_are_named_are_all_kept(hub: Hub) -> None:
    text = "type: service\nimage: x\nport: 80\nenv: [MODEL_ID=a/b]\ninstance_types: [g4dn.xlarge, p4d.24xlarge]\n"
    named = service_plan(text, weigh=weigh(hub))
    assert [offer.instance_type for offer in named.offers] == ["g4dn.xlarge", "p4d.24xlarge"]
    assert hub.asked == []
