"""What the program knows about a model server's use of GPU memory: how much it takes, how long sequences can be, and
the options that say so.

The facts are those of each server's own documentation, at the versions of November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Something that an option or a variable sets. The option counts before the variable."""

    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """How a model server divides the memory of a GPU between the weights and the cache of keys and values."""

    length: Setting
    """The most tokens of one sequence, prompt and answer together. By default, the model's own."""
    longer_by: str | None = None
    """The variable without which the server refuses a length beyond the model's own; `None`: it does not refuse it, or
    that is not known."""
    sequences: Setting
    """The most sequences at once."""
    share: Setting
    """The share of the memory, from 0 to 1."""
    default_share: float
    share_of: Literal["all", "free"] = "all"
    """What the share is a share of: all memory of a GPU, for weights and cache; or what the weights leave free, for
    the cache alone."""
    of_share: float = 1.0
    """The part of the share that it uses."""
    activations_outside: bool = False
    """Whether the values between layers have their place in the rest of the memory."""
    cache_type: Setting
    """The type of the numbers in the cache."""
    stops_if_short: bool
    """Whether it does not start if its cache is too small for one sequence of full length. Otherwise it only refuses
    requests that are too long."""
    elsewhere: tuple[str, ...] = ()
    """Options that make another calculation necessary: weights in main memory, several copies of the model, a second
    model for speculation, a fixed size of the cache."""


VLLM_MEMORY = Memory(
    length=Setting(options=("--max-model-len",)),
    longer_by="VLLM_ALLOW_LONG_MAX_MODEL_LEN",
    sequences=Setting(options=("--max-num-seqs",)),
    share=Setting(options=("--gpu-memory-utilization",)),
    default_share=0.9,
    cache_type=Setting(options=("--kv-cache-dtype",)),
    stops_if_short=True,
    elsewhere=(
        "--cpu-offload-gb",
        "--data-parallel-size",
        "-dp",
        "--hf-overrides",
        "--kv-cache-memory-bytes",
        "--num-gpu-blocks-override",
        "--speculative-config",
        "--speculative-model",
        "--rope-scaling",
        "--prefill-context-parallel-size",
        "--decode-context-parallel-size",
        "-dcp",
    ),
)
"""https://docs.vllm.ai/en/stable/configuration/engine_args/"""

SGLANG_MEMORY = Memory(
    length=Setting(options=("--context-length",)),
    sequences=Setting(options=("--max-running-requests",)),
    share=Setting(options=("--mem-fraction-static",)),
    default_share=0.85,
    activations_outside=True,
    cache_type=Setting(options=("--kv-cache-dtype",)),
    stops_if_short=False,
    elsewhere=(
        "--cpu-offload-gb",
        "--dp-size",
        "--dp",
        "--data-parallel-size",
        "--json-model-override-args",
        "--max-total-tokens",
        "--moe-dp-size",
        "--speculative-draft-model-path",
        "--torchao-config",
    ),
)
"""https://docs.sglang.io/advanced_features/server_arguments.html. It chooses its share by the GPU: 0.8 to 0.9."""

TGI_MEMORY = Memory(
    length=Setting(options=("--max-total-tokens",), variables=("MAX_TOTAL_TOKENS",)),
    sequences=Setting(),
    share=Setting(options=("--cuda-memory-fraction",), variables=("CUDA_MEMORY_FRACTION",)),
    default_share=1.0,
    of_share=0.9,
    cache_type=Setting(options=("--kv-cache-dtype",), variables=("KV_CACHE_DTYPE",)),
    stops_if_short=False,
)
"""https://huggingface.co/docs/text-generation-inference/reference/launcher. It leaves a tenth free
(server/text_generation_server/models/globals.py: TGI_WIGGLE_ROOM)."""

LMDEPLOY_MEMORY = Memory(
    length=Setting(options=("--session-len",)),
    sequences=Setting(options=("--max-batch-size",)),
    share=Setting(options=("--cache-max-entry-count",)),
    default_share=0.8,
    share_of="free",
    cache_type=Setting(options=("--quant-policy",)),
    stops_if_short=False,
    elsewhere=("--dp", "--ep"),
)
"""https://lmdeploy.readthedocs.io/en/latest/llm/api_server.html"""

TENSORRT_LLM_MEMORY = Memory(
    length=Setting(options=("--max-seq-len",)),
    sequences=Setting(options=("--max-batch-size",)),
    share=Setting(options=("--kv-cache-free-gpu-memory-fraction", "--free-gpu-memory-fraction")),
    default_share=0.9,
    share_of="free",
    cache_type=Setting(options=("--kv-cache-dtype",)),
    stops_if_short=False,
)
"""https://nvidia.github.io/TensorRT-LLM/commands/trtllm-serve/trtllm-serve.html"""
