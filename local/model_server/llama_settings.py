"""The settings of llama.cpp for a model.

With two settings, the same seed of a request to TGI's API gives the same text, also while other requests run:

- micro-batches of one token. A token is computed alone, so that neither its neighbours in the prompt nor the other
  generations choose another kernel with another rounding. On the CPU of a laptop, batches
  gain very little with a model of this size: prompts are read a quarter slower, four generations together are as fast;
- attention by the plain path, whose sums do not depend on how the work is split over threads.

Other weights than those of the small model gain much from batches, so these settings are not made for them, nor for
embeddings.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Literal

SLOTS = 2
"""Generations at once. Each has a context of its own, and a processor computes one token at a time anyway."""
CONTEXT = 8192
"""Tokens of prompt and answer in a slot, if the model was trained for so many: SmolLM2-135M was. A token's keys and
values take 23 kB there, both slots 377 MB."""
BATCH = 32
"""Prompt tokens between two looks at whether a client has left: about a quarter of a second."""
MODEL = "stand-in"
"""The model's name in llama.cpp's own answers."""
EMBEDDED_AT_ONCE = 4
"""Texts whose embeddings are computed together."""
EMBEDDED_TOKENS = 512
"""Tokens of a text for an embedding. llama.cpp computes them together, which its attention needs."""
MOST_THREADS = 4
CONNECTIONS = 10
"""To llama.cpp, each of which holds one of its threads as long as it is open: the places, and questions beside them."""

Use = Literal["repeatable", "quick", "embeddings"]
"""What llama.cpp is set up for: the same text for the same seed, larger models, or embeddings."""


def llama_cpp() -> Any:
    """Return llama.cpp's module, which has no types. Who asks a llama.cpp in another process needs none."""
    return importlib.import_module("xllamacpp")


def llama_settings(path: Path, key: str, use: Use, context: int, template: str | None, *, verbose: bool) -> Any:
    """Return llama.cpp's settings for the weights at `path`. `key` closes its port."""
    module = llama_cpp()
    settings = module.CommonParams()
    settings.model.path = str(path)
    settings.model_alias = {MODEL}
    settings.api_keys = [key]
    settings.chat_template = template or ""
    if use == "embeddings":
        settings.embedding = True
        settings.n_parallel = EMBEDDED_AT_ONCE
        settings.n_ctx = EMBEDDED_AT_ONCE * EMBEDDED_TOKENS
        settings.n_batch = settings.n_ubatch = EMBEDDED_TOKENS
    else:
        settings.n_parallel = SLOTS
        settings.n_ctx = SLOTS * context
        settings.n_batch = BATCH
        settings.n_ubatch = BATCH
    if use == "repeatable":
        settings.n_ubatch = 1
        settings.flash_attn_type = module.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.n_gpu_layers = 0
    settings.fit_params = False
    settings.cpuparams.n_threads = count_threads()
    settings.cpuparams.poll = 0
    settings.cpuparams_batch.n_threads = count_threads()
    settings.cpuparams_batch.poll = 0
    settings.n_threads_http = CONNECTIONS + 2
    settings.cache_ram_mib = 0
    settings.warmup = False
    settings.ui = False
    settings.endpoint_slots = False
    settings.endpoint_metrics = True
    settings.verbosity = 3 if verbose else -1
    return settings


def count_threads() -> int:
    """Return the number of threads of the model: half of the processors, at most 4.

    A thread that loses its processor stops all the others at the next barrier, every few hundred microseconds: with as
    many threads as processors, generation was twenty times slower while something else ran.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, processors // 2))
