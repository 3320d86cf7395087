"""The file of the small embedding model: written once, whole or not at all."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from local.model_server import minilm
from local.model_server.gguf import read_header
from local.model_server.minilm import minilm_path, package_folder, write_gguf
from local.model_server.standin import StandInMissing


def test_the_file_has_the_models_numbers_words_and_weights(tmp_path: Path) -> None:
    path = minilm_path(tmp_path)

    header = read_header(path)
    words = header.pop("tokenizer.ggml.tokens")
    kinds = header.pop("tokenizer.ggml.token_type")
    assert header.pop("bert.attention.layer_norm_epsilon") == pytest.approx(1e-12)
    assert header == {
        "general.architecture": "bert",
        "general.name": "sentence-transformers/all-MiniLM-L6-v2",
        "bert.context_length": 512,
        "bert.embedding_length": 384,
        "bert.feed_forward_length": 1536,
        "bert.block_count": 6,
        "bert.attention.head_count": 12,
        "bert.pooling_type": 1,
        "bert.attention.causal": False,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.token_type_count": 2,
    }
    assert (len(words), len(kinds)) == (30522, 30522)
    assert [(words[place], kinds[place]) for place in (0, 101, 1037, 2015)] == [
        *(("[PAD]", 3), ("[CLS]", 3)),
        *(("\u2581a", 1), ("s", 1)),
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["all-MiniLM-L6-v2.F32.gguf"]
    assert path.stat().st_size < 92_000_000


def test_it_is_written_once(tmp_path: Path) -> None:
    first = minilm_path(tmp_path).stat()
    assert minilm_path(tmp_path).stat() == first


@pytest.mark.parametrize("damage", ["config.json", "vocab.txt", "model.safetensors"])
def test_files_that_are_damaged_leave_nothing_behind(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = package_folder()
    assert folder is not None
    source = tmp_path / "model"
    source.mkdir()
    for name in ("config.json", "vocab.txt"):
        shutil.copy(folder / name, source / name)
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (source / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    write_gguf(source, tmp_path / "whole")
    (source / damage).unlink() if damage == "vocab.txt" else (source / damage).write_bytes(b"{")
    monkeypatch.setattr(minilm, "package_folder", lambda: source)

    with pytest.raises(StandInMissing, match="cannot be read"):
        minilm_path(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
