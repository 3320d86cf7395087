"""What is in the function's zip, and that the same input gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from hashlib import sha256
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from infra.packaging import PackagingError, build_function_zip, bytecode, function
from infra.packaging.bytecode import Compiler
from infra.packaging.contents import START_SCRIPT, gateway_contents
from tests.packaging.conftest import Project
from tests.support.processes import ROOT

ONE = "first/__init__.py"


@pytest.fixture(autouse=True)
def _source_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no CPython of the function's version, unless a test says otherwise."""
    monkeypatch.setattr(function, "find_compiler", lambda: None)


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
    assert (package.handler, package.compiled_by) == (START_SCRIPT, None)


def test_every_module_of_the_gateway_goes_in() -> None:
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gateway_lambda").rglob("*.py")}
    assert set(gateway_contents(ROOT)) == sources | {START_SCRIPT}


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
    (other / "gateway_lambda" / "app.py~").write_text("x")
    second = build_function_zip(root=other)
    assert second.path.read_bytes() == first.path.read_bytes()
    assert second.path != first.path


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
    with pytest.raises(PackagingError, match=r"differs from the hash in requirements-lambda\.txt"):
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
    assert list((project.root / ".cache" / "function").iterdir()) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("second==1.0", "second==1.0 has no hash"),
        ("second>=1.0 --hash=sha256:00", "'second>=1.0' is no exact version"),
        ("second --hash=sha256:00", "'second' is no exact version"),
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
    with pytest.raises(PackagingError, match="holds no requirement"):
        build_function_zip(root=tmp_path)
    (tmp_path / "requirements-lambda.txt").write_text("a==1 --hash=sha256:00\n")
    with pytest.raises(PackagingError, match="holds no gateway"):
        build_function_zip(root=tmp_path)


def test_two_packages_with_different_files_of_one_name_are_refused(project: Project) -> None:
    project.add_wheel("second", {ONE: b"TWO = 2\n"})
    with pytest.raises(PackagingError, match=f"two packages hold different files named {ONE}"):
        build_function_zip(root=project.root)


def test_a_zip_above_the_limit_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "LIMIT", 1_000)
    with pytest.raises(PackagingError, match=r"bytes, more than 1,000"):
        build_function_zip(root=project.root)
    assert [path.name for path in (project.root / ".cache" / "function").glob("*.zip")] == []


def test_a_cache_that_cannot_be_written_is_named(project: Project) -> None:
    (project.root / "taken").write_text("a file")
    with pytest.raises(PackagingError, match="taken/deeper cannot be written"):
        build_function_zip(root=project.root, cache=project.root / "taken" / "deeper")


def test_modules_are_compiled_where_there_is_a_python_that_can(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This interpreter stands for the function's: what it compiles is used without a look at the source."""
    compiler = Compiler(sys.executable, "9.9")
    monkeypatch.setattr(function, "find_compiler", lambda: compiler)
    package = build_function_zip(root=project.root)
    assert package.compiled_by == "9.9"
    found = entries(package.path)
    modules = [name for name in found if name.endswith(".py")]
    compiled = [name for name in found if name.endswith(".pyc")]
    assert len(modules) == len(compiled) == 6
    name = f"first/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    data = content(package.path, name)
    assert (data[:4], data[4:8]) == (MAGIC_NUMBER, b"\1\0\0\0"), "by hash, unchecked"
    assert b"/var/task/first/__init__.py" in data
    shutil.rmtree(project.root / ".cache")
    assert build_function_zip(root=project.root).sha256 == package.sha256


def test_a_module_that_does_not_compile_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "find_compiler", lambda: Compiler(sys.executable, "9.9"))
    (project.root / "gateway_lambda" / "app.py").write_text("this is no Python\n")
    with pytest.raises(PackagingError, match=r"/var/task/gateway_lambda/app\.py"):
        build_function_zip(root=project.root)


def test_only_a_cpython_of_the_functions_version_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in (
        ("wrong", "cpython-312 - 3.12.1"),
        ("threads", "cpython-313 t 3.13.2"),
        ("right", "cpython-313 - 3.13.2"),
    ):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{said}'\n")
        path.chmod(0o755)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    for interpreter, named, wanted in [
        ("right", "wrong", "right"),
        ("wrong", "right", "right"),
        ("threads", "broken", None),
        ("broken", "missing", None),
    ]:
        monkeypatch.setattr(bytecode.sys, "executable", str(tmp_path / interpreter))
        monkeypatch.setattr(bytecode.shutil, "which", lambda _, found=str(tmp_path / named): found)
        found = bytecode.find_compiler()
        assert found == (None if wanted is None else Compiler(str(tmp_path / wanted), "3.13.2"))


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
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    leftovers = [path.name for path in (project.root / ".cache" / "function").iterdir() if path.name.startswith(".")]
    assert leftovers == []
