"""What a `config.json` says about the cache of a model: the kinds of configurations that models have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.planning.architecture import Architecture, CachedLayers, read_architecture
from infra.planning.kv_cache import number_bytes, sequence_bytes

PLAIN = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "max_position_embeddings": 8192,
}
LATENT = {**PLAIN, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
DELTA = {
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
}
DELTA_STATE = 32 * 128 * 128 * 4 + (2 * 16 * 128 + 32 * 128) * 3 * 2
MAMBA = {"mamba_num_heads": 64, "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4}
MAMBA_STATE = 64 * 64 * 128 * 2 + (64 * 64 + 2 * 8 * 128) * 3 * 2


def layers(count: int, heads: int, numbers: int, window: int | None = None) -> CachedLayers:
    return CachedLayers(count=count, heads=heads, numbers=numbers, window=window)


CASES: dict[str, tuple[dict[str, Any], tuple[CachedLayers, ...], int]] = {
    "grouped heads": (PLAIN, (layers(32, 8, 256),), 0),
    "heads of another size": ({**PLAIN, "head_dim": 256}, (layers(32, 8, 512),), 0),
    "every head": ({key: PLAIN[key] for key in PLAIN if key != "num_key_value_heads"}, (layers(32, 32, 256),), 0),
    "older names": (
        {"n_layer": 24, "n_head": 16, "n_embd": 2048, "n_positions": 2048, "multi_query": True},
        (layers(24, 1, 256),),
        0,
    ),
    "Falcon's newer form": (
        {
            **PLAIN,
            "multi_query": True,
            "new_decoder_architecture": True,
            "num_kv_heads": 4,
            "num_key_value_heads": None,
        },
        (layers(32, 4, 256),),
        0,
    ),
    "ChatGLM": (
        {**PLAIN, "multi_query_attention": True, "multi_query_group_num": 2, "kv_channels": 128},
        (layers(32, 2, 256),),
        0,
    ),
    "DBRX": ({**PLAIN, "attn_config": {"kv_n_heads": 4}}, (layers(32, 4, 256),), 0),
    "latent attention": (LATENT, (layers(32, 0, 576),), 0),
    "latent attention with an index": ({**LATENT, "index_head_dim": 128}, (layers(32, 0, 640),), 0),
    "a part for text": ({"vision_config": {"num_hidden_layers": 9}, "text_config": PLAIN}, (layers(32, 8, 256),), 0),
    "a part of a part": ({"thinker_config": {"text_config": PLAIN}}, (layers(32, 8, 256),), 0),
    "a window everywhere": ({**PLAIN, "sliding_window": 4096}, (layers(32, 8, 256, 4096),), 0),
    "a window that is off": ({**PLAIN, "sliding_window": 4096, "use_sliding_window": False}, (layers(32, 8, 256),), 0),
    "Gemma 2": (
        {**PLAIN, "model_type": "gemma2", "sliding_window": 4096},
        (layers(16, 8, 256), layers(16, 8, 256, 4096)),
        0,
    ),
    "a pattern": (
        {**PLAIN, "sliding_window": 512, "sliding_window_pattern": 4},
        (layers(8, 8, 256), layers(24, 8, 256, 512)),
        0,
    ),
    "Gemma 4": (
        {
            **PLAIN,
            "num_hidden_layers": 6,
            "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
            "sliding_window": 1024,
            "head_dim": 256,
            "global_head_dim": 512,
            "num_global_key_value_heads": 2,
        },
        (layers(5, 8, 512, 1024), layers(1, 2, 1024)),
        0,
    ),
    "layers that use the cache of others": (
        {**PLAIN, "num_hidden_layers": 4, "layer_types": ["full_attention"] * 4, "num_kv_shared_layers": 3},
        (layers(1, 8, 256),),
        0,
    ),
    "MiMo": (
        {
            **PLAIN,
            "num_hidden_layers": 3,
            "hybrid_layer_pattern": [0, 1, 1],
            "sliding_window": 128,
            "head_dim": 192,
            "v_head_dim": 128,
            "swa_num_key_value_heads": 4,
        },
        (layers(1, 8, 320), layers(2, 4, 320, 128)),
        0,
    ),
    "linear attention": ({**PLAIN, **DELTA, "full_attention_interval": 4}, (layers(8, 8, 256),), 24 * DELTA_STATE),
    "Mamba between": (
        {**PLAIN, **MAMBA, "num_hidden_layers": 5, "hybrid_override_pattern": "ME*M-"},
        (layers(1, 8, 256),),
        2 * MAMBA_STATE,
    ),
    "Mamba alone": ({**PLAIN, **MAMBA, "model_type": "mamba2"}, (), 32 * MAMBA_STATE),
    "layer by layer": (
        {
            **PLAIN,
            "block_configs": [
                {"attention": {"n_heads_in_group": 4}},
                {"attention": {"n_heads_in_group": None, "no_op": True}},
                {"attention": {"n_heads_in_group": 8}},
                {"attention": {"n_heads_in_group": 4}},
            ],
        },
        (layers(2, 8, 256), layers(1, 4, 256)),
        0,
    ),
    "a list without attention": (
        {**PLAIN, "linear_attn_config": {"full_attn_layers": [4, 8]}, "num_hidden_layers": 8, **DELTA},
        (layers(2, 8, 256),),
        6 * DELTA_STATE,
    ),
}


@pytest.mark.parametrize(("config", "cached", "state"), CASES.values(), ids=CASES)
def test_a_configuration_says_what_each_layer_keeps(
    config: dict[str, Any], cached: tuple[CachedLayers, ...], state: int
) -> None:
    found = read_architecture(config)
    assert found is not None
    assert (set(found.layers), found.state_bytes) == (set(cached), state)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {**PLAIN, "num_hidden_layers": None},
        {**PLAIN, "num_attention_heads": 0},
        {**PLAIN, "max_position_embeddings": "long"},
        {**PLAIN, "max_position_embeddings": True},
        {**PLAIN, "hidden_size": None},
        {**PLAIN, "compress_ratios": [4, 128]},
        {**PLAIN, "is_encoder_decoder": True},
        {**PLAIN, "model_type": "bert"},
        {**PLAIN, "kv_lora_rank": 512},
        {**PLAIN, "block_configs": ["no block"]},
        {**PLAIN, "hybrid_override_pattern": "MM", "mamba_num_heads": 64},
        {"text_config": {"text_config": {}}},
        {**PLAIN, "num_hidden_layers": 2**50},
    ],
)
def test_what_is_not_known_is_not_guessed(config: dict[str, Any]) -> None:
    assert read_architecture(config) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
KEYS = sorted({key for config, _, _ in CASES.values() for key in config} | {"sliding_window_pattern", "v_head_dim"})


@settings(max_examples=300)
@given(
    base=st.sampled_from([config for config, _, _ in CASES.values()]),
    changed=st.dictionaries(st.sampled_from(KEYS), VALUES),
)
def test_any_configuration_gives_an_architecture_or_none(base: dict[str, Any], changed: dict[str, Any]) -> None:
    found = read_architecture({**base, **changed})
    assert found is None or sequence_bytes(found, found.length, number=2.0) > 0


ONE = Architecture(length=8192, heads=32, layers=(layers(32, 8, 256),))


@pytest.mark.parametrize(
    ("architecture", "said", "size"),
    [
        (ONE, {}, 32 * 8 * 256 * 2 * 1000),
        (ONE, {"number": 1.0}, 32 * 8 * 256 * 1000),
        (ONE, {"tensor": 4}, 32 * 2 * 256 * 2 * 1000),
        (ONE, {"tensor": 16}, 32 * 1 * 256 * 2 * 1000),
        (ONE, {"tensor": 2, "pipeline": 2}, 32 * 4 * 256 * 2 * 1000 / 2),
        (Architecture(length=8, heads=8, layers=(layers(10, 0, 576),)), {"tensor": 8}, 10 * 576 * 2 * 1000),
        (Architecture(length=8, heads=8, layers=(layers(10, 8, 256, 100),)), {}, 10 * 8 * 256 * 2 * 100),
        (Architecture(length=8, heads=8, layers=(layers(10, 8, 256, 100),)), {"ahead": 50}, 10 * 8 * 256 * 2 * 150),
        (Architecture(length=8, heads=8, layers=(), state_bytes=800), {"tensor": 4}, 200),
    ],
    ids=[
        "one GPU",
        "8 bits",
        "shared out",
        "more GPUs than heads",
        "groups of layers",
        "latent attention is copied",
        "a window",
        "a window while a prompt is read",
        "a state",
    ],
)
def test_a_sequence_takes_the_numbers_of_all_layers(
    architecture: Architecture, said: dict[str, Any], size: float
) -> None:
    assert sequence_bytes(architecture, 1000, **{"number": 2.0, **said}) == size


def test_types_of_the_cache_are_those_of_the_servers_options() -> None:
    names = (None, "auto", "bfloat16", "fp8", "fp8_e5m2", "int8", "8", "4", "unknown")
    assert [number_bytes(name) for name in names] == [2, 2, 2, 1, 1, 1, 1, 0.5, 2]
