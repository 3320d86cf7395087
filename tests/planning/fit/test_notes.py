"""What a plan says and refuses about the memory and the disk that a model needs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from infra.planning import HubError, HubOutOfReachError, PlanError, ServicePlan
from infra.planning.architecture import read_architecture
from infra.planning.chat_template import ModelRepository
from infra.planning.weights import Weigh, Weights, WeightsUnknownError
from tests.preflight.plans import service_plan

MODELS: dict[str, Any] = json.loads((Path(__file__).parent / "models.json").read_text())
EIGHT, SEVENTY = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"
EIGHT_HAS = f"{EIGHT} has 15.0 GiB of weights (from the table)"
SEVENTY_HAS = f"{SEVENTY} has 131.4 GiB of weights (from the table)"


def weigh(wanted: ModelRepository) -> Weights:
    model = MODELS[wanted.repo]
    size = model["weights_gib"]
    return Weights(
        repo=wanted.repo,
        gib=size,
        origin="the table",
        download_gib=size,
        architecture=read_architecture(model["config"]),
    )


def without_architecture(wanted: ModelRepository) -> Weights:
    return Weights(repo=wanted.repo, gib=MODELS[wanted.repo]["weights_gib"], origin="the table")


def plan(command: str, resources: str, *, weigh: Weigh = weigh, **said: Any) -> ServicePlan:
    text = f"type: service\nimage: team/image\nport: 8000\ncommands:\n  - {command} --port 8000\n"
    return service_plan(f"{text}resources: {{shm_size: 1GB, {resources}}}\n", weigh=weigh, **said)


@pytest.mark.parametrize(
    ("command", "resources", "note"),
    [
        (
            f"vllm serve {EIGHT} --max-model-len 8192 --max-num-seqs 64",
            "gpu: L4",
            f"{EIGHT_HAS}. By estimate, L4:24GB has room for 1 to 4 sequences of full length (8,192 tokens). Up to 64 "
            "run at once if they are shorter; others wait.",
        ),
        (
            f"vllm serve {EIGHT} --max-model-len 8192 --kv-cache-dtype fp8",
            "gpu: L4",
            f"{EIGHT_HAS}. By estimate, L4:24GB has room for 2 to 8 sequences of full length (8,192 tokens).",
        ),
        (
            f"vllm serve {EIGHT} --max-model-len 8k",
            "gpu: '48GB..80GB:1'",
            f"{EIGHT_HAS}. By estimate, L40S:48GB has room for 19 to 24 sequences of full length (8,000 tokens), "
            "H100:80GB for 48 to 56.",
        ),
        (
            f"vllm serve {EIGHT}",
            "gpu: 24GB:1",
            f"{EIGHT_HAS}. Beside them, there is no room on g6.xlarge, g6.2xlarge, g5.xlarge and 9 more for one "
            "sequence of full length (131,072 tokens), so vLLM will not start: write --max-model-len 9216 (a little "
            "more may work), or ask for more under resources.gpu.",
        ),
        (
            f"vllm serve {EIGHT} --max-model-len auto",
            "gpu: 24GB:1",
            f"{EIGHT_HAS}. Beside them, there is no room on g6.xlarge, g6.2xlarge, g5.xlarge and 9 more for one "
            "sequence of full length (131,072 tokens), so vLLM might refuse requests of more than about 9,216 tokens: "
            "write --max-model-len 9216 (a little more may work), or ask for more under resources.gpu.",
        ),
        (
            f"python -m sglang.launch_server --model {EIGHT} --host 0.0.0.0",
            "gpu: 24GB:1",
            f"{EIGHT_HAS}. Beside them, there is no room on g6.xlarge, g6.2xlarge, g5.xlarge and 9 more for one "
            "sequence of full length (131,072 tokens), so SGLang might refuse requests of more than about 16,384 "
            "tokens: write --context-length 16384 (a little more may work), or ask for more under resources.gpu.",
        ),
        (
            f"vllm serve {EIGHT} --max-model-len 16384",
            "gpu: {name: [L4, L40S], count: 1}",
            f"{EIGHT_HAS}. Beside them, there might be no room on g6.xlarge, g6.2xlarge, g6.4xlarge and 4 more for one "
            "sequence of full length (16,384 tokens), so vLLM might not start: write --max-model-len 9216 (a little "
            "more may work), or set gpu to 48GB. By estimate, L40S:48GB has room for 9 to 12 sequences of full length "
            "(16,384 tokens).",
        ),
        (
            f"vllm serve {SEVENTY} -tp 3",
            "gpu: 'H100:8'",
            f"{SEVENTY} has 64 attention heads, which 3 GPUs cannot share out evenly, so vLLM will not start: use a "
            "number of GPUs that divides 64.",
        ),
        (
            "vllm serve Qwen/Qwen3-14B --max-model-len 2048",
            "gpu: {memory: 24GB..48GB, count: 1}, cpu: 4..4",
            "Qwen/Qwen3-14B has 27.5 GiB of weights (from the table), on one GPU. They do not fit onto g6.xlarge and "
            "g5.xlarge with 22.4 GiB on a GPU, and AWS can start any of the offers: set gpu to 48GB.",
        ),
    ],
    ids=[
        "fits",
        "a smaller cache",
        "several GPUs",
        "does not start",
        "chooses the length itself",
        "refuses long requests",
        "may not start",
        "heads",
        "some offers are too small",
    ],
)
def test_the_plan_says_what_fits(command: str, resources: str, note: str) -> None:
    assert note in plan(command, resources).notes


def test_a_number_of_gpus_that_cannot_share_the_model_is_said_once() -> None:
    notes = plan(f"vllm serve {SEVENTY} -tp 3", "gpu: 'H100:8'").notes
    assert [note for note in notes if "GPU" in note] == [
        f"{SEVENTY} has 64 attention heads, which 3 GPUs cannot share out evenly, so vLLM will not start: use a number "
        "of GPUs that divides 64."
    ]
    idle = [note for note in plan(f"vllm serve {SEVENTY} -tp 4", "gpu: 'H100:8'").notes if "stay idle" in note]
    assert len(idle) == 1, "a number that works is still compared with the GPUs of the machine"


TOO_LONG = (
    "--max-model-len is {}, but Qwen/Qwen3-14B is made for sequences of 40,960 tokens (its config.json), so vLLM will "
    "not start: write --max-model-len 40960 or less, or set VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 in env, with which longer "
    "sequences can get wrong answers."
)


@pytest.mark.parametrize(
    ("command", "length"),
    [
        ("vllm serve Qwen/Qwen3-14B --max-model-len 40961", 40961),
        ("vllm serve Qwen/Qwen3-14B --max-model-len 128k", 128000),
        ("VLLM_ALLOW_LONG_MAX_MODEL_LEN=0 vllm serve Qwen/Qwen3-14B --max-model-len 40961", 40961),
        ("vllm serve Qwen/Qwen3-14B --max-model-len 40960", None),
        ("vllm serve Qwen/Qwen3-14B --max-model-len auto", None),
        ("vllm serve Qwen/Qwen3-14B", None),
        ("VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 vllm serve Qwen/Qwen3-14B --max-model-len 40961", None),
        ("VLLM_ALLOW_LONG_MAX_MODEL_LEN=$LONG vllm serve Qwen/Qwen3-14B --max-model-len 40961", None),
        ("vllm serve Qwen/Qwen3-14B --max-model-len 40961 --hf-overrides '{}'", None),
        ("vllm serve Qwen/Qwen3-14B --max-model-len 40961 --rope-scaling '{}'", None),
        ("text-generation-launcher --model-id Qwen/Qwen3-14B --max-total-tokens 40961", None),
    ],
)
def test_a_length_beyond_the_model_s_own_is_said(command: str, length: int | None) -> None:
    notes = plan(command.replace("'{}'", '"{}"'), "gpu: H100:1").notes
    said = [note for note in notes if "is made for" in note]
    assert said == ([] if length is None else [TOO_LONG.format(length)])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, True),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, True),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1000000}}, True),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, False),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}}}, False),
        ({"model_max_length": 131072}, False),
    ],
)
def test_a_config_that_allows_more_tokens_in_another_way_is_not_warned_of(more: dict[str, Any], said: bool) -> None:
    def weighed(wanted: ModelRepository) -> Weights:
        return dataclasses.replace(
            weigh(wanted), architecture=read_architecture({**MODELS[wanted.repo]["config"], **more})
        )

    notes = plan("vllm serve Qwen/Qwen3-14B --max-model-len 100000", "gpu: H100:1", weigh=weighed).notes
    assert any("is made for" in note for note in notes) is said


def test_weights_that_no_offer_can_hold_are_refused() -> None:
    with pytest.raises(PlanError) as caught:
        plan(f"vllm serve {SEVENTY} -tp 4", "gpu: 24GB:4")
    assert str(caught.value) == (
        "test.dstack.yml: 1 problem\n\n"
        "line 6, resources.gpu\n"
        f"  rule:   the model does not fit: {SEVENTY_HAS}, 32.9 GiB on each of 4 GPUs. The largest offer is "
        "g6.12xlarge, with 22.4 GiB on a GPU\n"
        "  remedy: ask for more under resources.gpu, or use a quantized model. To go on anyway, set preflight to "
        "false in stack config"
    )
    with pytest.raises(PlanError, match="let the server use more of the GPUs with --tensor-parallel-size"):
        plan(f"vllm serve {SEVENTY}", "gpu: 24GB:4")


TGI = "text-generation-launcher --model-id"


@pytest.mark.parametrize(
    ("command", "resources", "rule", "remedy"),
    [
        (
            f"vllm serve {EIGHT} --gpu-memory-utilization 0.6",
            "gpu: L4:1, cpu: 4..4",
            f"{EIGHT_HAS}, on one GPU. The largest offer is g6.xlarge, with 22.4 GiB on a GPU, of which vLLM may use "
            "60 % (--gpu-memory-utilization 0.6): 13.4 GiB",
            "raise --gpu-memory-utilization, or ask for more under resources.gpu, or use a quantized model",
        ),
        (
            f"{TGI} {EIGHT} --cuda-memory-fraction 0.5",
            "gpu: L4:1, cpu: 4..4",
            f"{EIGHT_HAS}, on one GPU. The largest offer is g6.xlarge, with 22.4 GiB on a GPU, of which TGI may use "
            "50 % (--cuda-memory-fraction 0.5): 11.2 GiB",
            "raise --cuda-memory-fraction, or ask for more under resources.gpu, or use a quantized model",
        ),
        (
            f"CUDA_MEMORY_FRACTION=0.5 {TGI} {EIGHT}",
            "gpu: L4:1, cpu: 4..4",
            f"{EIGHT_HAS}, on one GPU. The largest offer is g6.xlarge, with 22.4 GiB on a GPU, of which TGI may use "
            "50 % (CUDA_MEMORY_FRACTION=0.5): 11.2 GiB",
            "raise CUDA_MEMORY_FRACTION, or ask for more under resources.gpu, or use a quantized model",
        ),
        (
            f"vllm serve {SEVENTY} -tp 4 --gpu-memory-utilization 0.6",
            "gpu: 24GB:4",
            f"{SEVENTY_HAS}, 32.9 GiB on each of 4 GPUs. The largest offer is g6.12xlarge, with 22.4 GiB on a GPU, of "
            "which vLLM may use 60 % (--gpu-memory-utilization 0.6): 13.4 GiB",
            "ask for more under resources.gpu, or use a quantized model",
        ),
        (
            f"vllm serve {EIGHT} --gpu-memory-utilization .6",
            "gpu: 24GB:4",
            f"{EIGHT_HAS}, on one GPU. The largest offer is g6.12xlarge, with 22.4 GiB on each GPU (the server uses 1 "
            "of 4), of which vLLM may use 60 % (--gpu-memory-utilization 0.6): 13.4 GiB",
            "let the server use more of the GPUs with --tensor-parallel-size, raise --gpu-memory-utilization, or ask "
            "for more under resources.gpu, or use a quantized model",
        ),
    ],
    ids=["vLLM", "TGI", "a variable", "the whole GPU is too small too", "fewer GPUs"],
)
def test_a_share_of_the_memory_is_named_where_the_weights_do_not_fit_into_it(
    command: str, resources: str, rule: str, remedy: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan(command, resources)
    [problem] = caught.value.problems
    assert (problem.rule, problem.remedy) == (
        f"the model does not fit: {rule}",
        f"{remedy}. To go on anyway, set preflight to false in stack config",
    )


def test_a_choice_counts_the_share_and_names_it() -> None:
    """GPUs of 24 GB hold the 18.0 GiB, but not with half of their memory."""
    for command, server, option in (
        (f"vllm serve {EIGHT} --max-model-len 2048", "vLLM", "--gpu-memory-utilization"),
        (f"{TGI} {EIGHT}", "TGI", "--cuda-memory-fraction"),
    ):
        chosen = plan(f"{command} {option} 0.5", "disk: 100GB")
        assert {offer.gpu for offer in chosen.offers} == {"L40S"}
        assert chosen.notes[0] == (
            f"gpu is not set. {EIGHT} needs 18.0 GiB of GPU memory (15.0 of weights, from the table), so the plan uses "
            f"the smallest that fits: 48GB (L40S), of which {server} may use 50 % ({option} 0.5): 22.4 GiB. Set gpu to "
            "choose."
        )
    with pytest.raises(PlanError) as caught:
        plan(f"{TGI} {EIGHT} --cuda-memory-fraction 0.5", "cpu: 4..4, memory: 16GB, disk: 100GB")
    assert [(one.rule, one.remedy) for one in caught.value.problems] == [
        (
            f"it is not set, and no offer fits: {EIGHT} needs 18.0 GiB of GPU memory (15.0 of weights, from the "
            "table). Of a GPU, TGI may use 50 % (--cuda-memory-fraction 0.5)",
            "raise --cuda-memory-fraction, relax the other requirements, set gpu to try one anyway, or use a quantized "
            "model",
        )
    ]


@pytest.mark.parametrize(
    ("command", "resources", "said"),
    [
        (f"vllm serve {SEVENTY} --cpu-offload-gb 100", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} $OPTIONS", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} --config vllm.yaml", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} --gpu-memory-utilization $(cat share)", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} --data-parallel-size 4", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} --quantization torchao", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY} -tp $GPUS", "gpu: 24GB:4", {}),
        (f"vllm serve {SEVENTY}", "gpu: 24GB:4", {"preflight": False}),
    ],
    ids=[
        "in main memory",
        "unknown options",
        "a file",
        "an unknown share",
        "several copies",
        "an unknown size",
        "an unknown number",
        "no preflight",
    ],
)
def test_nothing_is_refused_or_warned_of_where_the_plan_cannot_know(
    command: str, resources: str, said: dict[str, Any]
) -> None:
    notes = plan(command, resources, **said).notes
    assert [note for note in notes if SEVENTY in note and "weights" in note] == []


def test_a_model_that_no_command_names_is_at_most_a_note() -> None:
    text = f"type: service\nimage: vllm/vllm-openai\nport: 8000\nmodel: {SEVENTY}\nresources: {{gpu: 24GB:1}}\n"
    [note] = [note for note in service_plan(text, weigh=weigh).notes if "fit" in note]
    assert note.startswith(f"{SEVENTY_HAS}, on one GPU. They do not fit onto g6.xlarge, ")


@pytest.mark.parametrize(
    ("option", "quantized", "gib"),
    [("", False, "131.4"), ("-q fp8", False, "65.7"), ("-q fp8", True, "131.4"), ("-q bitsandbytes", False, "39.4")],
)
def test_weights_are_as_large_as_the_server_loads_them(option: str, quantized: bool, gib: str) -> None:
    def weighed(wanted: ModelRepository) -> Weights:
        return dataclasses.replace(weigh(wanted), quantized=quantized)

    notes = plan(f"vllm serve {SEVENTY} --max-model-len 4096 -tp 8 {option}", "gpu: H100:8", weigh=weighed).notes
    assert notes[0].startswith(f"{SEVENTY} has {gib} GiB of weights")


ROOM = "Qwen/Qwen3-32B needs about 73.2 GiB of GPU memory (61.0 GiB of weights, from the table, and a fifth more)"


@pytest.mark.parametrize(
    ("command", "resources", "note"),
    [
        (
            "vllm serve Qwen/Qwen3-32B",
            "gpu: L40S:1",
            f"{ROOM}, more than any offer has, so replicas will most likely run out of GPU memory: ask for more under "
            "resources.gpu, or use a quantized model.",
        ),
        (
            "vllm serve Qwen/Qwen3-32B",
            "gpu: {memory: 48GB..80GB, count: 1}, cpu: 16..16",
            f"{ROOM}, more than there is on g6e.4xlarge. AWS can start any of the offers: set gpu to 80GB.",
        ),
        (
            "llama-server --hf-repo Qwen/Qwen3-32B --host 0.0.0.0",
            "gpu: L40S:1, cpu: 16..16",
            f"{ROOM}, more than there is on g6e.4xlarge. llama.cpp keeps the rest in main memory, which is many times "
            "slower: ask for more under resources.gpu, or use a smaller quantization.",
        ),
        ("vllm serve Qwen/Qwen3-32B", "gpu: H100:1", ""),
    ],
    ids=["no offer", "some offers", "a server that spills", "fits"],
)
def test_without_an_architecture_the_weights_and_a_fifth_more_count(command: str, resources: str, note: str) -> None:
    notes = plan(command, resources, weigh=without_architecture).notes
    assert [one for one in notes if "Qwen3-32B" in one] == ([note] if note else [])


def test_a_choice_leaves_room_for_a_sequence_without_which_the_server_does_not_start() -> None:
    chosen = plan(f"vllm serve {EIGHT}", "disk: 100GB")
    assert {offer.gpu for offer in chosen.offers} == {"L40S"}
    assert chosen.notes[0] == (
        f"gpu is not set. {EIGHT} needs 18.0 GiB of GPU memory (15.0 of weights, from the table), and more for one "
        "sequence of full length, without which it does not start, so the plan uses the smallest that fits: 48GB "
        "(L40S). Set gpu to choose."
    )
    shorter = plan(f"vllm serve {EIGHT} --max-model-len 4096", "disk: 100GB")
    assert {offer.gpu for offer in shorter.offers} == {"A10G", "L4"}


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (
            HubOutOfReachError("the Hub did not answer", "try again"),
            ("The plan does not know whether the model fits: the Hub did not answer; try again.",),
        ),
        (
            WeightsUnknownError("the Hub does not know the size", "set gpu"),
            ("The plan does not know whether the model fits: the Hub does not know the size; set gpu.",),
        ),
        (HubError("the Hub has no such repository", "correct it"), ()),
    ],
    ids=["no answer", "no size", "a refusal, which preflight explains"],
)
def test_a_hub_that_says_nothing_does_not_stop_a_plan(error: HubError, note: tuple[str, ...]) -> None:
    def fail(wanted: ModelRepository) -> None:
        raise error

    assert plan(f"vllm serve {EIGHT}", "gpu: L4", weigh=fail).notes == note


@pytest.mark.parametrize(
    ("resources", "note"),
    [
        (
            "gpu: {name: H100, count: 1}, disk: 100GB",
            None,
        ),
        (
            "gpu: T4:1, cpu: 4..4",
            "The files of Qwen/Qwen1.5-MoE-A2.7B have 107 GB, and the image of the server up to 30 GB. g4dn.xlarge has "
            "about 125 GB of room for them on its disk: set resources.disk to 250GB or more.",
        ),
        ("gpu: T4:1, cpu: 4..4, disk: 250GB", None),
    ],
    ids=["a large NVMe disk", "too small", "a larger volume"],
)
def test_the_disk_has_room_for_the_weights_and_the_image(resources: str, note: str | None) -> None:
    def large(wanted: ModelRepository) -> Weights:
        return Weights(repo=wanted.repo, gib=10, origin="the table", download_gib=100)

    notes = plan("vllm serve Qwen/Qwen1.5-MoE-A2.7B", resources, weigh=large).notes
    assert [one for one in notes if "The files of" in one] == ([] if note is None else [note])


def test_a_folder_of_volumes_is_on_the_root_volume() -> None:
    def large(wanted: ModelRepository) -> Weights:
        return Weights(repo=wanted.repo, gib=10, origin="the table", download_gib=100)

    text = (
        "type: service\nimage: vllm/vllm-openai\nport: 8000\n"
        "commands:\n  - vllm serve Qwen/Qwen3-8B --download-dir /weights\n"
        "volumes: ['/var/lib/weights:/weights']\nresources: {gpu: H100:1}\n"
    )
    [note] = [one for one in service_plan(text, weigh=large).notes if "The files of" in one]
    assert note == (
        "The files of Qwen/Qwen3-8B have 107 GB. p5.4xlarge has about 25 GB of room for them on the folder of "
        "`volumes` on the root volume: set resources.disk to 200GB or more."
    )
