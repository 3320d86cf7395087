"""The files that are written on this machine for an upload."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.packaging import PackagingError
from infra.packaging.local_copy import stored


def test_contents_are_written_once_and_only_for_the_user(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    first = stored({"a": b"1", "b": b"2"}, folder)
    assert {name: path.read_bytes() for name, path in first.items()} == {"a": b"1", "b": b"2"}
    assert {path.stat().st_mode & 0o777 for path in first.values()} == {0o600}
    kept = first["a"].stat().st_mtime_ns, first["a"].stat().st_ino
    assert stored({"a": b"1"}, folder)["a"].stat().st_ino == kept[1]
    first["a"].write_bytes(b"cut off")
    assert stored({"a": b"1"}, folder)["a"].read_bytes() == b"1"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file")
    with pytest.raises(PackagingError, match="which stores what is uploaded, cannot be written"):
        stored({"a": b"1"}, tmp_path / "files")
