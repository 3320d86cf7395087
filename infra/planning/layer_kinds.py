"""How many layers of a model keep all tokens, the last ones only, or a state of fixed size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

LARGEST = 2**31
"""The largest number of a configuration that is read."""
_MOST_LAYERS = 10_000
_PATTERNS: Mapping[str, int] = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4, "gpt_oss": 2, "llama4_text": 4}
"""Models of which one layer in so many keeps all tokens, if the configuration does not list its layers."""
_ALL = ("full_attention", "attention", "*", "full", "global", "hybrid")
_LAST = ("sliding_attention", "chunked_attention", "sliding", "local", "swa")
_STATES = ("linear_attention", "mamba", "mamba2", "M", "conv", "linear", "recurrent", "rwkv", "hybrid")
"""A `hybrid` layer has both attention and a state."""
_WINDOWS = ("sliding_window", "attention_chunk_size", "sliding_window_size")


@dataclass(frozen=True, kw_only=True)
class LayerKinds:
    """The layers of a model by what they keep."""

    windows: Mapping[int | None, int]
    """The number of layers that keep so many last tokens; `None`: all tokens."""
    states: int = 0
    """The number of layers that keep a state of fixed size."""


def layer_kinds(config: Mapping[str, Any]) -> LayerKinds | None:
    """Return the layers of a model; `None`: the configuration does not say how many there are. The layers that only use
    the cache of an earlier layer (Gemma 3n, Gemma 4) are left out."""
    count = positive_number(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers")
    if count is None or count > _MOST_LAYERS:
        return None
    listed = _listed(config, count)
    if listed is not None:
        shared = positive_number(config, "num_kv_shared_layers") or 0
        kinds = Counter(listed[: len(listed) - shared])
        window = positive_number(config, *_WINDOWS)
        windows: Counter[int | None] = Counter()
        for kind, many in kinds.items():
            if kind in _ALL or (kind in _LAST and window is None):
                windows[None] += many
            elif kind in _LAST:
                windows[window] += many
        return LayerKinds(windows=dict(windows), states=sum(kinds[kind] for kind in _STATES))
    window = positive_number(config, *_WINDOWS)
    model = str(config.get("model_type"))
    if window is None or config.get("use_sliding_window") is False:
        return LayerKinds(windows={None: count})
    pattern = positive_number(config, "sliding_window_pattern") or _PATTERNS.get(model, 0)
    if pattern > 1:
        every = count // pattern
        return LayerKinds(windows={None: every, window: count - every} if every else {window: count})
    full = positive_number(config, "max_window_layers") or 0 if model.startswith("qwen") else 0
    if full:
        return LayerKinds(windows={None: min(full, count)} | ({window: count - full} if full < count else {}))
    return LayerKinds(windows={window: count})


def _listed(config: Mapping[str, Any], count: int) -> Sequence[str] | None:
    """Return the kind of each layer, if the configuration lists them in one of the known ways."""
    for name in ("layer_types", "layers_block_type", "hybrid_override_pattern"):
        value = config.get(name)
        if isinstance(value, (list, str)) and value:
            return [str(kind) for kind in cast("Iterable[object]", value)]
    if isinstance(pattern := config.get("hybrid_layer_pattern"), list):  # MiMo
        return ["swa" if layer else "full" for layer in cast("Iterable[object]", pattern)]
    if isinstance(kinds := config.get("attn_type_list"), list):  # MiniMax-Text
        return ["full" if layer else "linear" for layer in cast("Iterable[object]", kinds)]
    inner = config.get("linear_attn_config")  # Kimi Linear
    if isinstance(inner, dict) and isinstance(full := cast("Mapping[str, Any]", inner).get("full_attn_layers"), list):
        return ["full"] * len(cast("list[object]", full)) + ["linear"] * (count - len(cast("list[object]", full)))
    every = positive_number(config, "full_attention_interval", "attn_layer_period")  # Qwen3-Next, Jamba
    if every is not None:
        return ["full"] * (count // every) + ["linear"] * (count - count // every)
    if isinstance(indices := config.get("attn_layer_indices"), list):  # Bamba
        attention = len(cast("list[object]", indices))
        return ["full"] * attention + ["mamba"] * (count - attention)
    if str(config.get("model_type")) in ("mamba", "mamba2", "falcon_mamba", "rwkv"):
        return ["mamba"] * count
    return None


def positive_number(config: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these numbers that the configuration has; `None`: none is a positive whole number."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST:
            return value
    return None
