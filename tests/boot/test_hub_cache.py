"""What an image has at the paths of the Hub's cache stays visible in the container. tar and cp play docker's `cp`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.boot.machine import Machine
from tests.boot.test_outcomes import lines_of
from tests.boot.test_serving import serves

Boots = Callable[..., Machine]

COPY = """
from=${*: -2:1} to=${*: -1}
folder=$STUBS/image/${from#servestack-image:/}
[[ -d $folder ]] || exit 1
if [[ $to == - ]]; then exec tar --create --directory "$folder" .; fi
cp --archive "$folder" "$to"
"""


def with_image(boot: Machine, **files: int) -> Machine:
    """Give the image these files: sizes by name, below /data."""
    for name, size in files.items():
        file = boot.root / "image/data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.write(b"weights")
            opened.truncate(size)
        file.chmod(0o640)
    boot.answer("docker-cp", COPY)
    return boot


def cache(boot: Machine, path: str) -> Path:
    return boot.file_system / f"var/lib/servestack/hub{path}"


def mounted(boot: Machine) -> list[str]:
    """The mounts of the container, below the machine's own root."""
    arguments = [call.arguments for call in boot.calls("docker-run")][-1]
    return [one.replace(str(boot.file_system), "") for one in arguments if one.startswith("type=bind")]


def bind(path: str) -> str:
    return f"type=bind,source=/var/lib/servestack/hub{path},target={path}"


def test_an_image_without_such_files_gets_an_empty_cache_that_any_user_can_write(machine: Boots) -> None:
    boot = with_image(machine())
    serves(boot)
    assert mounted(boot) == [bind("/data"), bind("/root/.cache/huggingface")]
    for path in ("/data", "/root/.cache/huggingface"):
        assert os.listdir(cache(boot, path)) == []
        assert cache(boot, path).stat().st_mode & 0o7777 == 0o1777


def test_small_files_of_the_image_are_copied_into_the_cache(machine: Boots) -> None:
    boot = with_image(machine(), tokenizer=100)
    serves(boot)
    assert mounted(boot) == [bind("/data"), bind("/root/.cache/huggingface")]
    copied = cache(boot, "/data") / "tokenizer"
    assert copied.read_bytes() == b"weights" + bytes(93)
    assert copied.stat().st_mode & 0o7777 == 0o640


def test_an_image_with_weights_keeps_its_own_folder(machine: Boots) -> None:
    boot = with_image(machine(), weights=2**30)
    serves(boot)
    assert mounted(boot) == [bind("/root/.cache/huggingface")]
    assert "the image has its own files at /data, so the Hub's cache is not mounted there" in lines_of(boot)
    assert not cache(boot, "/data").exists()


def test_files_are_copied_once_and_what_came_later_stays(machine: Boots) -> None:
    boot = with_image(machine(), tokenizer=100)
    boot.answer("docker-wait", "printf '1\\n'")
    (cache(boot, "/data.new")).mkdir(parents=True)
    (cache(boot, "/data.new") / "of a start that was killed").touch()
    assert boot.run("serve") == 75
    (cache(boot, "/data") / "downloaded").touch()
    assert boot.run("serve") == 75
    assert sorted(os.listdir(cache(boot, "/data"))) == ["downloaded", "tokenizer"]
    assert len([call for call in boot.calls("docker-cp") if "--archive" in call.arguments]) == 1
    assert mounted(boot) == [bind("/data"), bind("/root/.cache/huggingface")]


def test_files_that_cannot_be_copied_stay_visible(machine: Boots) -> None:
    boot = with_image(machine(), tokenizer=100)
    boot.answer("docker-cp", f"if [[ $2 == --archive ]]; then echo 'no space left' >&2; exit 1; fi\n{COPY}")
    serves(boot)
    assert mounted(boot) == [bind("/root/.cache/huggingface")]
    assert (
        "the files that the image has at /data could not be copied, so the Hub's cache is not mounted there: no space "
        "left"
    ) in lines_of(boot)


def test_a_path_that_the_user_mounts_is_not_looked_at(machine: Boots) -> None:
    boot = with_image(machine("volumes: ['/srv/models:/data']\n"), tokenizer=100)
    serves(boot)
    assert mounted(boot) == [bind("/root/.cache/huggingface"), "type=bind,source=/srv/models,target=/data"]
