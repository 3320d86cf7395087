"""The size of a model's weights and its architecture, with the real huggingface_hub against a Hub on loopback, and the
GPUs that the plan chooses by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.configuration import Secret
from infra.planning import HubError, PlanError
from infra.planning.architecture import Architecture, CachedLayers
from infra.planning.chat_template import ModelRepository
from infra.planning.hub_weights import weigh_on_hub
from infra.planning.weights import Weigh, WeightsUnknownError, unweighed_out_of_reach
from tests.preflight.hub import OTHER_TOKEN, TOKEN, Hub, Model, files, safetensors, serve_hub, with_config
from tests.preflight.plans import service_plan

GIB = 2**30
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
SEVEN = safetensors(BF16=7_248_023_552)
"""Of that model, as the Hub counts it: 13.5 GiB."""
CONFIG = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "max_position_embeddings": 32768,
}
ARCHITECTURE = Architecture(length=32768, heads=32, layers=(CachedLayers(count=32, heads=8, numbers=256),))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as served:
        served.models[MISTRAL] = Model(SEVEN)
        yield served


def weigh(hub: Hub) -> Weigh:
    return weigh_on_hub({"HF_ENDPOINT": hub.url}, pauses=(0, 0))


def wanted(*, token: str | None = None, file: str | None = None) -> ModelRepository:
    secret = None if token is None else Secret(token)
    return ModelRepository(repo=MISTRAL, revision=None, token=secret, file=file)


def plan(resources: str = "gpu: 24GB", env: str = "", **said: Any) -> Any:
    text = (
        "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.6\nport: 80\n"
        f"env:\n  MODEL_ID: {MISTRAL}\n{env}commands: [text-generation-launcher]\n"
    )
    return service_plan(f"{text}resources: {{{resources}}}\n" if resources else text, **said)


def test_the_architecture_comes_from_the_repository_s_own_configuration(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(with_config(SEVEN), config=CONFIG)
    weights = weigh(hub)(wanted())
    assert weights is not None
    assert weights.architecture == ARCHITECTURE
    assert hub.asked[-1] == f"/{MISTRAL}/resolve/{'0' * 40}/config.json"


@pytest.mark.parametrize(
    "config", [[], "text", 5, b"{", b"[" * 100_000, b"\xff", {}, {**CONFIG, "num_hidden_layers": "many"}]
)
def test_a_configuration_that_says_nothing_leaves_the_size_alone(hub: Hub, config: object) -> None:
    hub.models[MISTRAL] = Model(with_config(SEVEN), config=config)
    weights = weigh(hub)(wanted())
    assert weights is not None
    assert (round(weights.gib, 1), weights.architecture) == (13.5, None)


@pytest.mark.parametrize(("token", "found"), [(None, None), (OTHER_TOKEN, None), (TOKEN, ARCHITECTURE)])
def test_the_configuration_of_a_gated_model_needs_a_token_that_may_read_it(
    hub: Hub, token: str | None, found: Architecture | None
) -> None:
    hub.models[MISTRAL] = Model(with_config(SEVEN), gated=True, config=CONFIG)
    weights = weigh(hub)(wanted(token=token))
    assert weights is not None
    assert (round(weights.gib, 1), weights.architecture) == (13.5, found)


GGUF = files(
    **{
        "Model-Q8_0_gguf": 8 * GIB,
        "Model-Q4_K_M_gguf": 4 * GIB,
        "mmproj-Model-f16_gguf": GIB,
        "Model-BF16-00001-of-00002_gguf": 10 * GIB,
        "Model-BF16-00002-of-00002_gguf": 5 * GIB,
    }
)


@pytest.mark.parametrize(
    ("file", "gib", "origin"),
    [
        (None, 4, "the sizes of its files"),
        ("Q8_0", 8, "the size of Q8_0"),
        ("q4_k_m", 4, "the size of q4_k_m"),
        ("BF16", 15, "the size of BF16"),
        ("Model-Q8_0.gguf", 8, "the size of Model-Q8_0.gguf"),
    ],
)
def test_of_a_gguf_repository_the_file_that_is_chosen_counts(
    hub: Hub, file: str | None, gib: float, origin: str
) -> None:
    hub.models[MISTRAL] = Model(GGUF)
    weights = weigh(hub)(wanted(file=file))
    assert weights is not None
    assert (weights.gib, weights.download_gib, weights.origin) == (gib, gib, origin)


def test_a_quantization_that_the_repository_does_not_have_is_not_known(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(GGUF)
    with pytest.raises(WeightsUnknownError):
        weigh(hub)(wanted(file="IQ1_S"))


def test_llama_cpp_names_a_quantization_after_the_repository(hub: Hub) -> None:
    hub.models[MISTRAL] = Model(GGUF)
    text = (
        "type: service\nimage: ghcr.io/ggml-org/llama.cpp:server-cuda\nport: 8080\n"
        f"commands: [/app/llama-server -hf {MISTRAL}:Q8_0]\n"
    )
    chosen = service_plan(text, weigh=weigh(hub))
    assert chosen.notes[0].startswith(
        f"gpu is not set. {MISTRAL} needs 9.6 GiB of GPU memory (8.0 of weights, from the size of Q8_0)"
    )


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
def test_a_page_that_is_no_answer_of_the_hub_is_a_note(hub: Hub, page: bytes) -> None:
    hub.pages[MISTRAL] = page
    notes = plan(weigh=weigh(hub)).notes
    assert notes[0].startswith("The plan does not know whether the model fits: the Hub ")


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


def test_a_gpu_that_is_said_stays_as_it_is(hub: Hub) -> None:
    assert len(plan(resources="gpu: 1", weigh=weigh(hub)).offers) > 20


def test_without_preflight_the_hub_is_asked_only_for_a_choice(hub: Hub) -> None:
    plan(resources="gpu: 1", weigh=weigh(hub), preflight=False)
    assert hub.asked == []
    plan(resources="", weigh=weigh(hub), preflight=False)
    assert hub.asked == [f"/api/models/{MISTRAL}?blobs=true"]


def test_instance_types_that_are_named_are_all_kept(hub: Hub) -> None:
    text = "type: service\nimage: x\nport: 80\nenv: [MODEL_ID=a/b]\ninstance_types: [g4dn.xlarge, p4d.24xlarge]\n"
    named = service_plan(text, weigh=weigh(hub))
    assert [offer.instance_type for offer in named.offers] == ["g4dn.xlarge", "p4d.24xlarge"]
