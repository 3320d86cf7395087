"""What the plan says of real models on real GPUs, beside what was published about them.

`models.json` has the facts of each model: the parts of its `config.json` that matter, and the size of its weights as
the Hub counts them. `outcomes.csv` has a row for each published outcome, with its source:

- `starts`: the server started with these options; `stops`: it did not, for want of memory;
- `cache_gib`: the memory for the cache on each GPU, and `tokens`: what the cache holds, as the server logged them.

An empty length or share means the server's default. `config_source` and `weights_source` say where a fact comes from:
copies of `config.json` in ai-dynamo/aiconfigurator and mlc-ai/mlc-llm, the model catalog of kaito-project/kaito, the
published log, or the knowledge of the author, which nothing here confirms.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.planning.architecture import Architecture, read_architecture
from infra.planning.catalog import read_catalog
from infra.planning.kv_cache import number_bytes, sequence_bytes
from infra.planning.memory_fit import GIB, Fit, model_fit
from infra.planning.model_server import Loaded
from infra.planning.plan import Offer
from infra.planning.weights import Weights, loaded_gib
from tests.planning.test_model_server import read

FOLDER = Path(__file__).parent
MODELS: Mapping[str, Any] = json.loads((FOLDER / "models.json").read_text())
COMMANDS = {
    "vLLM": "vllm serve {model} --tensor-parallel-size {tensor} --pipeline-parallel-size {pipeline}",
    "SGLang": "python3 -m sglang.launch_server --model-path {model} --tp {tensor} --host 0.0.0.0",
    "TGI": "text-generation-launcher --model-id {model} --num-shard {gpus} --port 80",
}
OPTIONS = {
    "vLLM": ("--max-model-len", "--gpu-memory-utilization", "--kv-cache-dtype", "--quantization"),
    "SGLang": ("--context-length", "--mem-fraction-static", "--kv-cache-dtype", "--quantization"),
    "TGI": ("--max-total-tokens", "--cuda-memory-fraction", "--kv-cache-dtype", "--quantize"),
}
OTHER_CARDS = {"RTX3090": 24, "RTX4090": 24, "48GB": 48, "V100-32": 32}
"""GiB of cards that EC2 does not have, as nvidia-smi reports them."""
MISSED = {
    "openai/gpt-oss-20b on 1 H100 with 0.95": "the share leaves too little for what vLLM needs outside of it",
    "Qwen/Qwen3.5-122B-A10B-GPTQ-Int4 on 1 H100 with the default": "a recipe, which does not say for which length",
}
"""Outcomes that the calculation does not foresee."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    row: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.row['model']} on {self.row['gpus']} {self.row['gpu']} with {self.row['share'] or 'the default'}"

    @property
    def architecture(self) -> Architecture:
        found = read_architecture(MODELS[self.row["model"]]["config"])
        assert found is not None, self.row["model"]
        return found

    @property
    def loaded(self) -> Loaded:
        gpus, pipeline = int(self.row["gpus"]), int(self.row["pipeline"])
        line = COMMANDS[self.row["server"]].format(
            model=self.row["model"], tensor=gpus // pipeline, pipeline=pipeline, gpus=gpus
        )
        names = zip(OPTIONS[self.row["server"]], ("length", "share", "cache_type", "quantize"), strict=True)
        return read(line + "".join(f" {option} {self.row[key]}" for option, key in names if self.row[key]))

    @property
    def fit(self) -> Fit:
        loaded = self.loaded
        assert loaded.server is not None
        assert loaded.server.memory is not None
        assert loaded.limits.uncertain == ()
        size = Weights(repo=self.row["model"], gib=MODELS[self.row["model"]]["weights_gib"], origin="the table")
        return model_fit(
            offer(self.row["gpu"], int(self.row["gpus"])),
            loaded,
            loaded_gib(size, loaded),
            self.architecture,
            loaded.server.memory,
        )


def outcomes() -> list[Outcome]:
    with (FOLDER / "outcomes.csv").open() as file:
        return [Outcome(row=row) for row in csv.DictReader(file)]


def offer(gpu: str, count: int) -> Offer:
    """Return an offer with that many GPUs of this kind, with the memory that the catalog has for it."""
    name, _, size = gpu.partition("-")
    found = [one for one in read_catalog() if one.gpu == name and size in ("", f"{one.gpu_memory_gb:g}")]
    memory = found[0].usable_gpu_memory_gb if found else OTHER_CARDS[gpu]
    return Offer(
        instance_type=gpu,
        gpu=name,
        gpu_count=count,
        gpu_memory_gb=round(memory),
        usable_gpu_memory_gb=memory,
        vcpus=8,
        memory_gb=64,
        disk_gb=100,
        nvme_gb=0,
        price=1,
    )


ROWS = outcomes()
MEASURED = [one for one in ROWS if one.row["cache_gib"] and float(one.row["cache_gib"]) > 0]
COUNTED = [one for one in ROWS if one.row["tokens"]]


@pytest.mark.parametrize("one", ROWS, ids=lambda one: f"{one.name}, {one.row['length']}")
def test_no_outcome_is_contradicted(one: Outcome) -> None:
    """What starts is never said not to fit, and what stops is never said to fit for certain."""
    stated = {"starts": ("fits", "close"), "stops": ("close", "short", "never")}[one.row["outcome"]]
    if one.row["server"] != "vLLM":  # these start with any cache
        stated = ("fits", "close", "short")
    assert (one.fit.verdict in stated) == (one.name not in MISSED), one.fit


@pytest.mark.parametrize("one", MEASURED, ids=lambda one: f"{one.name}, {one.row['length']}")
def test_the_measured_cache_is_within_the_estimate(one: Outcome) -> None:
    least, most = one.fit.room
    assert least <= float(one.row["cache_gib"]) <= most


@pytest.mark.parametrize("one", COUNTED, ids=lambda one: f"{one.name}, {one.row['length']}")
def test_the_tokens_that_a_cache_holds_are_within_the_estimate(one: Outcome) -> None:
    loaded, architecture = one.loaded, one.architecture
    length = loaded.limits.length or architecture.length
    size = sequence_bytes(
        architecture,
        length,
        number=number_bytes(loaded.limits.cache_type),
        tensor=one.fit.gpus // loaded.limits.pipeline,
        pipeline=loaded.limits.pipeline,
    )
    least, most = (room * GIB / size * length for room in one.fit.room)
    assert least <= int(one.row["tokens"]) <= most


@pytest.mark.parametrize(
    "one",
    [one for one in MEASURED if one.row["tokens"] and one.row["gpus"] == "1"],
    ids=lambda one: f"{one.name}, {one.row['length']}",
)
def test_a_token_takes_what_the_server_says(one: Outcome) -> None:
    """The measured memory divided by the tokens that it holds. Of several GPUs, the log does not say which it means."""
    loaded = one.loaded
    size = sequence_bytes(one.architecture, 1, number=number_bytes(loaded.limits.cache_type), tensor=one.fit.gpus)
    assert size == pytest.approx(float(one.row["cache_gib"]) * GIB / int(one.row["tokens"]), rel=0.01)


def test_there_are_enough_models_and_gpus() -> None:
    assert len({(one.row["model"], one.row["gpu"], one.row["gpus"]) for one in ROWS}) >= 50
    assert {one.row["model"] for one in ROWS} == set(MODELS)
    assert all(one.row["source"].startswith("https://") for one in ROWS)


def test_the_page_about_servers_has_these_numbers() -> None:
    pairs = {(one.row["model"], one.row["gpu"], one.row["gpus"]) for one in ROWS}
    sized = [one for one in ROWS if one.row["cache_gib"] or one.row["tokens"]]
    within = [one for one in sized if one in MEASURED or one in COUNTED]
    said = (
        f"The estimate agrees with {len(ROWS) - len(MISSED)} of {len(ROWS)} published outcomes of {len(MODELS)} "
        f"models, on {len(pairs)} combinations of a model with GPUs. {len(sized)} of them say how large the cache is: "
        f"{len(within)} are within the range."
    )
    page = (Path(__file__).parents[3] / "docs/servers.md").read_text()
    assert said in " ".join(page.split())


def test_every_missed_outcome_is_a_row() -> None:
    assert set(MISSED) <= {one.name for one in ROWS}
