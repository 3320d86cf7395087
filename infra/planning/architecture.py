"""What a model keeps of each token while it answers, read from the `config.json` of its repository.

The names are those of transformers' configurations, with the older names of some models. What the file does not say,
or says in a way that is not known here, is not guessed: then there is no architecture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from infra.planning.layer_kinds import layer_kinds, positive_number

Config = Mapping[str, Any]

_INNER = ("text_config", "llm_config", "language_config", "thinker_config")
"""Where models that also see or hear have the part that writes text."""
_DEEPEST = 3
_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_seq_len")
_NOT_KNOWN = ("compress_ratios", "is_encoder_decoder")
"""Keys of models whose cache works in another way."""
_WITHOUT_CACHE = (
    *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "gte", "modernbert"),
    *("mpnet", "new", "nomic_bert", "roberta", "xlm-roberta"),
)
"""Types of models that only read: they keep nothing between tokens."""
_WITH_ALL_POSITIONS = ("llama3", "longrope", "su")
"""Kinds of rotary embeddings whose `max_position_embeddings` already has the factor."""
_STATE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True)
class CachedLayers:
    """Layers that keep the same amount of each token."""

    count: int
    heads: int
    """Heads with keys and values of their own, which several GPUs share out; 0: all GPUs keep all of it."""
    numbers: int
    """Numbers that one head keeps of one token; without heads, those of the layer."""
    window: int | None = None
    """The number of last tokens that are kept; `None`: all."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The parts of a model that decide how large its cache is."""

    length: int
    """The most tokens of one sequence."""
    stretched: bool = False
    """Whether a server can take more, by another number of the `config.json`."""
    heads: int
    """Heads of attention, which the number of GPUs must divide."""
    layers: tuple[CachedLayers, ...]
    state_bytes: int = 0
    """Bytes that layers without a cache keep of a sequence of any length (Mamba and linear attention)."""

    @property
    def mixed(self) -> bool:
        """Whether its layers differ, so that servers pad the cache and a calculation is less exact."""
        return self.state_bytes > 0 or len(self.layers) > 1 or any(layers.window for layers in self.layers)


def read_architecture(config: Config) -> Architecture | None:
    """Return the architecture that a `config.json` describes; `None`: it describes none that is known, or a model that
    writes no text."""
    try:
        return _read(_inner(config, _DEEPEST))
    except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError):
        return None


def _read(config: Config) -> Architecture | None:
    if any(config.get(key) for key in _NOT_KNOWN) or config.get("model_type") in _WITHOUT_CACHE:
        return None
    heads = positive_number(config, "num_attention_heads", "n_head", "n_heads")
    length = positive_number(config, *_LENGTHS)
    kinds = layer_kinds(config)
    if heads is None or length is None or kinds is None:
        return None
    layers = _deci_layers(config, heads) if "block_configs" in config else _layers(config, heads, kinds.windows)
    if layers is None:
        return None
    state = kinds.states * _state_bytes(config)
    if not layers and not state:
        return None
    return Architecture(length=length, stretched=_stretched(config), heads=heads, layers=layers, state_bytes=state)


def _stretched(config: Config) -> bool:
    """Whether a server can take longer sequences than the length says: vLLM multiplies it by a factor of the rotary
    embedding, or takes `model_max_length` (vllm/config/model.py: _get_and_verify_max_len)."""
    scaling: Config = config.get("rope_scaling") or config.get("rope_parameters") or {}
    kinds: list[Config] = [scaling, *(one for one in scaling.values() if isinstance(one, dict))]
    factors = [kind for kind in kinds if kind.get("rope_type", kind.get("type")) not in _WITH_ALL_POSITIONS]
    return "model_max_length" in config or any("factor" in kind for kind in factors)


def _inner(config: Config, deepest: int) -> Config:
    """Return the part of the configuration that is about text."""
    for name in _INNER:
        part = config.get(name)
        if isinstance(part, dict) and deepest:
            return _inner(cast("Config", part), deepest - 1)
    return config


def _layers(config: Config, heads: int, windows: Mapping[int | None, int]) -> tuple[CachedLayers, ...] | None:
    if (rank := positive_number(config, "kv_lora_rank")) is not None:
        rotary = positive_number(config, "qk_rope_head_dim")
        if rotary is None:
            return None
        indexed = (positive_number(config, "index_head_dim") or 0) // 2  # an index has 8 bits a number
        return tuple(
            CachedLayers(count=count, heads=0, numbers=rank + rotary + indexed, window=window)
            for window, count in windows.items()
        )
    found: list[CachedLayers] = []
    for window, count in windows.items():
        kept, key, value = _attention(config, heads, windowed=window is not None, alone=len(windows) == 1)
        if kept is None or key is None:
            return None
        found.append(CachedLayers(count=count, heads=kept, numbers=key + (value or key), window=window))
    return tuple(found)


def _attention(config: Config, heads: int, *, windowed: bool, alone: bool) -> tuple[int | None, int | None, int | None]:
    """Return the heads that are kept, and the numbers of a key and a value; `None` for the value: as many."""
    kept, key = _kept_heads(config, heads), _head_numbers(config, heads)
    value = positive_number(config, "v_head_dim")
    if windowed and not alone:  # MiMo
        kept = positive_number(config, "swa_num_key_value_heads") or kept
        key = positive_number(config, "swa_head_dim") or key
        value = positive_number(config, "swa_v_head_dim") or value
    if not windowed:  # Gemma 4
        kept = positive_number(config, "num_global_key_value_heads") or kept
        key = positive_number(config, "global_head_dim") or key
    return kept, key, value


def _kept_heads(config: Config, heads: int) -> int | None:
    if config.get("multi_query") is True and not config.get("new_decoder_architecture"):  # Falcon, StarCoder
        return 1
    if config.get("multi_query_attention") is True:  # ChatGLM
        return positive_number(config, "multi_query_group_num")
    inner = config.get("attn_config")  # MPT, DBRX
    if isinstance(inner, dict):
        return positive_number(cast("Config", inner), "kv_n_heads") or heads
    return positive_number(config, "num_key_value_heads", "num_kv_heads", "n_head_kv") or heads


def _head_numbers(config: Config, heads: int) -> int | None:
    given = positive_number(config, "head_dim", "attention_head_dim", "kv_channels")
    hidden = positive_number(config, "hidden_size", "n_embd", "d_model")
    return given or (None if hidden is None else hidden // heads)


def _deci_layers(config: Config, heads: int) -> tuple[CachedLayers, ...] | None:
    """Return the layers of a model that was made smaller layer by layer (DeciLM, Llama-Nemotron)."""
    numbers = _head_numbers(config, heads)
    if numbers is None:
        return None
    counts: dict[int, int] = {}
    for block in cast("Sequence[Config]", config["block_configs"]):
        group = block["attention"].get("n_heads_in_group")
        if group:
            counts[heads // int(group)] = counts.get(heads // int(group), 0) + 1
    return tuple(CachedLayers(count=count, heads=kept, numbers=2 * numbers) for kept, count in counts.items())


def _state_bytes(config: Config) -> int:
    """Return the bytes that one layer of Mamba or of linear attention keeps of a sequence."""
    size = _STATE_BYTES.get(str(config.get("mamba_ssm_dtype") or config.get("mamba_ssm_cache_dtype")), 2)
    if (
        values := positive_number(config, "linear_num_value_heads")
    ) is not None:  # gated delta net: Qwen3-Next, Qwen3.5
        keys = int(config["linear_num_key_heads"]) * int(config["linear_key_head_dim"])
        width = values * int(config["linear_value_head_dim"])
        kernel = int(config["linear_conv_kernel_dim"])
        return width * int(config["linear_key_head_dim"]) * size + (2 * keys + width) * (kernel - 1) * 2
    if (mamba_heads := positive_number(config, "mamba_num_heads", "mamba_n_heads")) is not None:  # Mamba 2
        width = mamba_heads * int(config.get("mamba_head_dim") or config["mamba_d_head"])
        state = int(config.get("ssm_state_size") or config["mamba_d_state"])
        groups = int(config.get("n_groups") or config.get("mamba_n_groups") or 1)
        kernel = int(config.get("conv_kernel") or config.get("mamba_d_conv") or 4)
        return width * state * size + (width + 2 * groups * state) * (kernel - 1) * 2
    if (state := positive_number(config, "mamba_d_state", "state_size")) is not None:  # Mamba 1
        width = int(config.get("intermediate_size_mamba") or config["hidden_size"] * config.get("mamba_expand", 2))
        return width * (state + int(config.get("mamba_d_conv") or 4) - 1) * 4
    if (hidden := positive_number(config, "hidden_size")) is not None:  # short convolutions and other linear attention
        head = positive_number(config, "head_dim") or 128
        return hidden * head * 4
    return 0
