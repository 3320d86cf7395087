"""What is in the function's zip, and that the same input gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from infra.packaging import PackagingError, build_function_zip, function
from infra.packaging.contents import LEFT_OUT, START_SCRIPT, gateway_contents
from tests.packaging.conftest import Project
from tests.support.processes import ROOT

ONE = "first/__init__.py"


def entries(path: Path) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: info for info in archive.infolist()}


def content(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_the_zip_holds_the_gateway_its_packages_and_the_start_script(project: Project) -> None:
    package = build_function_zip(root=project.root)
    sources = {path.relative_to(project.root).as_posix() for path in project.root.glob("gateway_lambda/**/*.py")}
    others = {ONE, START_SCRIPT, "first-1.0.dist-info/METADATA", "first-1.0.dist-info/licenses/LICENSE"}
    assert set(entries(package.path)) == sources | others
    data = package.path.read_bytes()
    assert (package.sha256, package.size) == (sha256(data).hexdigest(), len(data))
    assert package.handler == START_SCRIPT


def test_every_module_of_the_gateway_goes_in() -> None:
    """And it has no other files, which would be left out."""
    files = {path.relative_to(ROOT) for path in (ROOT / "gateway_lambda").rglob("*") if path.is_file()}
    # A process that imports the gateway may write into __pycache__ meanwhile, under other names first.
    ours = {path.as_posix() for path in files if "__pycache__" not in path.parts}
    assert ours > LEFT_OUT
    assert set(gateway_contents(ROOT)) == ours - LEFT_OUT | {START_SCRIPT}


def test_only_the_start_script_is_executable_and_its_lines_end_as_sh_wants(project: Project) -> None:
    found = entries(build_function_zip(root=project.root).path)
    modes = {name: info.external_attr >> 16 for name, info in found.items()}
    assert modes == {name: 0o100755 if name == START_SCRIPT else 0o100644 for name in found}
    assert {(info.create_system, info.date_time) for info in found.values()} == {(3, (1980, 1, 1, 0, 0, 0))}
    script = content(build_function_zip(root=project.root).path, START_SCRIPT)
    assert script.startswith(b"#!/bin/sh\n")
    assert b"\r" not in script


def test_the_same_input_gives_the_same_bytes(project: Project, tmp_path: Path) -> None:
    """Another folder, other times, modes and order of the files, other line ends, leftovers: none of it counts."""
    first = build_function_zip(root=project.root)
    other = tmp_path / "elsewhere" / "copy"
    for path in sorted(project.root.rglob("*"), reverse=True):
        if path.is_file() and ".cache" not in path.parts:
            target = other / path.relative_to(project.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
            target.chmod(0o600)
            os.utime(target, (time.time() - 1e6,) * 2)
    shutil.copy(project.root / "requirements-lambda.txt", other)
    leftovers = other / "gateway_lambda" / "__pycache__"
    leftovers.mkdir()
    (leftovers / "app.cpython-311.pyc").write_bytes(b"old")
    (other / "gateway_lambda" / ".hidden").write_text("x")
    for name in ("app.py~", "app.py.orig", ".app.py", "README.md"):
        (other / "gateway_lambda" / name).write_text("x")
    second = build_function_zip(root=other)
    assert second.path.read_bytes() == first.path.read_bytes()
    assert second.path != first.path


def test_the_makers_settings_and_zlib_change_nothing(project: Project) -> None:
    """zlib-ng, which some systems have in zlib's place, packs otherwise: so nothing is packed here."""
    first = build_function_zip(root=project.root)
    shutil.rmtree(project.root / ".cache")
    code = (
        "import os, zlib, pathlib; os.umask(0o077); zlib.compressobj = zlib.compress = None;"
        "from infra.packaging import build_function_zip;"
        f"print(build_function_zip(root=pathlib.Path({str(project.root)!r})).sha256)"
    )
    environment = {**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{first.sha256}\n"), done.stderr


def test_what_a_wheel_holds_packed_is_taken_as_it_lies_there(project: Project) -> None:
    data = b"TEXT = " + repr("x" * 1000).encode()
    project.add_wheel("second", {"second.py": data, "empty.py": b""}, packing=zipfile.ZIP_DEFLATED)
    project.add_wheel("third", {"third.py": data}, packing=zipfile.ZIP_BZIP2)
    path = build_function_zip(root=project.root).path
    (wheel,) = project.wheels.glob("second-*.whl")
    found = entries(path)
    assert found["second.py"].compress_size == entries(wheel)["second.py"].compress_size < 100
    assert [content(path, name) for name in ("second.py", "third.py", "empty.py")] == [data, data, b""]
    assert found["third.py"].compress_type == zipfile.ZIP_STORED, "Lambda unpacks deflate and nothing else"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_a_change_of_the_gateway_changes_the_zip_and_needs_no_package_again(project: Project) -> None:
    first = build_function_zip(root=project.root)
    shutil.rmtree(project.wheels)
    (project.root / "gateway_lambda" / "app.py").write_text("changed = True\n")
    second = build_function_zip(root=project.root)
    assert first.sha256 != second.sha256
    assert content(second.path, "gateway_lambda/app.py") == b"changed = True\n"
    assert first.path.exists()


def test_what_was_made_is_not_made_again(project: Project) -> None:
    first = build_function_zip(root=project.root)
    written = first.path.stat().st_mtime_ns
    shutil.rmtree(project.wheels)
    assert build_function_zip(root=project.root) == first
    assert first.path.stat().st_mtime_ns == written


def test_nothing_that_only_builds_or_tests_read_is_in_it(project: Project) -> None:
    extras = [
        "second/tests/test_a.py",
        "second/_core.pyx",
        "second/_core.c",
        "second/_core.pyi",
        "second/__pycache__/a.cpython-313.pyc",
        "second-1.0.data/scripts/second",
        "second-1.0.data/data/share/man/second.1",
        "bin/second",
    ]
    kept = {"second/__init__.py": b"", "second/data.json": b"{}", "second-1.0.data/purelib/second/more.py": b""}
    project.add_wheel("second", kept | dict.fromkeys(extras, b"x"))
    found = [name for name in entries(build_function_zip(root=project.root).path) if name.startswith("second")]
    assert sorted(found) == [
        "second-1.0.dist-info/METADATA",
        "second-1.0.dist-info/licenses/LICENSE",
        "second/__init__.py",
        "second/data.json",
        "second/more.py",
    ]


def test_markers_are_those_of_lambda_and_not_of_this_machine(project: Project) -> None:
    project.add_wheel("old", {"old.py": b""}, pin="{pin} ; python_full_version < '3.13'")
    project.add_wheel("new", {"new.py": b""}, pin="{pin} ; python_version >= '3.13'")
    project.add_wheel("arm", {"arm.py": b""}, pin="{pin} ; platform_machine == 'aarch64' and sys_platform == 'linux'")
    project.add_wheel("win", {"win.py": b""}, pin="{pin} ; sys_platform == 'win32'")
    found = set(entries(build_function_zip(root=project.root).path))
    assert {"old.py", "new.py", "arm.py", "win.py"} & found == {"new.py", "arm.py"}


def test_wheels_are_those_for_python_3_13_on_arm64(project: Project) -> None:
    tags = ["cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64", "cp313-cp313-manylinux_2_28_aarch64"]
    for number, tag in enumerate(tags):
        project.add_wheel(f"native{number}", {f"native{number}.so": tag.encode()}, tag=tag)
    path = build_function_zip(root=project.root).path
    assert [content(path, f"native{number}.so").decode() for number in range(2)] == tags


@pytest.mark.parametrize(
    "tag",
    ["cp313-cp313-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_aarch64", "cp313-cp313-manylinux_2_39_aarch64"],
)
def test_a_package_without_such_a_wheel_is_named_with_the_remedy(project: Project, tag: str) -> None:
    project.add_wheel("native", {"native.so": b""}, tag=tag)
    with pytest.raises(PackagingError) as told:
        build_function_zip(root=project.root)
    assert "no wheel for Python 3.13 on arm64 Linux" in str(told.value)
    assert "native==1.0" in str(told.value)


def test_a_package_of_another_hash_is_refused(project: Project) -> None:
    with zipfile.ZipFile(project.wheels / "first-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("first/evil.py", "x")
    with pytest.raises(PackagingError, match=r"does not have the hash of requirements-lambda\.txt"):
        build_function_zip(root=project.root)
    assert not list((project.root / ".cache").rglob("*.whl"))


def test_without_network_it_says_so_and_what_to_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:a-password@127.0.0.1:9/simple")
    with pytest.raises(PackagingError) as told:
        build_function_zip(root=project.root)
    assert "pip cannot reach the package index" in str(told.value)
    assert "PIP_INDEX_URL" in str(told.value)
    assert "a-password" not in str(told.value)
    assert not [path for path in (project.root / ".cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("second==1.0", "second==1.0 has no SHA-256 hash"),
        ("second==1.0 --hash=md5:00", "second==1.0 has no SHA-256 hash"),
        ("second==1.* --hash=sha256:00", r"'second==1\.\*' is not an exact version"),
        ("second==1.0,<2 --hash=sha256:00", "'second==1.0,<2' is not an exact version"),
        ("second==1.0 ; nonsense --hash=sha256:00", "'nonsense' of second==1.0 is not a valid marker"),
        ("second>=1.0 --hash=sha256:00", "'second>=1.0' is not an exact version"),
        ("second --hash=sha256:00", "'second' is not an exact version"),
    ],
)
def test_a_requirement_that_is_not_pinned_is_refused(project: Project, line: str, told: str) -> None:
    with (project.root / "requirements-lambda.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(PackagingError, match=told):
        build_function_zip(root=project.root)


def test_a_folder_without_gateway_or_requirements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match=r"requirements-lambda\.txt cannot be read"):
        build_function_zip(root=tmp_path)
    (tmp_path / "requirements-lambda.txt").write_text("# nothing\n")
    with pytest.raises(PackagingError, match="has no requirements"):
        build_function_zip(root=tmp_path)
    (tmp_path / "requirements-lambda.txt").write_text("a==1 --hash=sha256:00\n")
    with pytest.raises(PackagingError, match=r"gateway_lambda has no __main__\.py"):
        build_function_zip(root=tmp_path)


def test_two_packages_with_different_files_of_one_name_are_refused(project: Project) -> None:
    project.add_wheel("second", {ONE: b"TWO = 2\n"})
    with pytest.raises(PackagingError, match=f"two packages have different files named {ONE}"):
        build_function_zip(root=project.root)


def test_a_zip_above_the_limit_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "LIMIT", 1_000)
    with pytest.raises(PackagingError, match=r"bytes, but the limit is 1,000: "):
        build_function_zip(root=project.root)
    assert [path.name for path in (project.root / ".cache" / "function").glob("*.zip")] == []


def test_a_cache_that_cannot_be_written_is_named(project: Project) -> None:
    (project.root / "taken").write_text("a file")
    with pytest.raises(PackagingError, match=r"taken/deeper/.* cannot be written"):
        build_function_zip(root=project.root, cache=project.root / "taken" / "deeper")


@pytest.mark.parametrize("trouble", ["a wheel is missing", "a wheel is cut off", "a fetch was interrupted"])
def test_a_cache_that_is_not_whole_is_filled_again(project: Project, trouble: str) -> None:
    project.add_wheel("second", {"second.py": b"TWO = 2\n"})
    whole = build_function_zip(root=project.root)
    whole.path.unlink()
    (wheel,) = (project.root / ".cache").rglob("first-1.0-*.whl")
    if trouble == "a wheel is missing":
        wheel.unlink()
    elif trouble == "a wheel is cut off":
        wheel.write_bytes(wheel.read_bytes()[:-30])
    else:
        leftover = wheel.parent / ".fetching-x" / wheel.name
        leftover.parent.mkdir()
        wheel.rename(leftover)
    assert build_function_zip(root=project.root) == whole
    assert zipfile.is_zipfile(whole.path)


def test_a_zip_that_was_cut_off_is_made_again(project: Project) -> None:
    whole = build_function_zip(root=project.root)
    whole.path.write_bytes(whole.path.read_bytes()[:-1])
    assert build_function_zip(root=project.root) == whole
    assert sha256(whole.path.read_bytes()).hexdigest() == whole.sha256


def test_a_cache_that_can_only_be_read_is_enough_once_it_is_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    whole = build_function_zip(root=project.root)
    for name in ("mkdir", "write_bytes"):
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert build_function_zip(root=project.root) == whole
    whole.path.unlink()
    with pytest.raises(
        PackagingError, match=r"function, which stores the function's zip, cannot be written \(Permission denied\)"
    ):
        build_function_zip(root=project.root)


def test_two_that_make_it_at_once_both_have_it(project: Project) -> None:
    code = (
        "from pathlib import Path; from infra.packaging import build_function_zip;"
        f"print(build_function_zip(root=Path({str(project.root)!r})).sha256)"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    leftovers = [path.name for path in (project.root / ".cache" / "function").iterdir() if path.name.startswith(".")]
    assert leftovers == []
