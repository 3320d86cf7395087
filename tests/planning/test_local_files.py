"""What `files` packs: which files, with which modes, in the same bytes everywhere, and what cannot travel."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from infra.configuration import Secret, ServiceConfiguration, ServiceSettings, load
from infra.planning import PlanError, ServicePlan, plan_service, unresolved
from infra.planning.local_files import LARGEST_ARCHIVE, Archive

WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"


def planned(folder: Path, lines: str) -> ServicePlan:
    file = folder / "serve.dstack.yml"
    file.write_text(WEB + lines)
    configuration = load(str(file))
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(configuration, run="run", environment={}, resolve=unresolved)


def archive(folder: Path, entry: str = "app") -> Archive:
    (laid,) = planned(folder, f"files: ['{entry}']\n").files
    return laid.archive


def members(packed: Archive) -> dict[str, tuple[int, bytes | str | None]]:
    """By name: the mode, and the content of a file, the target of a link, or None of a folder."""
    with tarfile.open(fileobj=io.BytesIO(packed.data)) as tar:
        found: dict[str, tuple[int, bytes | str | None]] = {}
        for member in tar:
            opened = tar.extractfile(member) if member.isreg() else None
            content = opened.read() if opened else member.linkname if member.issym() else None
            found[member.name] = (member.mode, content)
        return found


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files: their texts by their path."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def refused(folder: Path, lines: str) -> str:
    with pytest.raises(PlanError) as refusal:
        planned(folder, lines)
    return str(refusal.value)


def test_a_folder_travels_with_its_files_and_empty_folders_and_without_owners_and_times(tmp_path: Path) -> None:
    tree(tmp_path / "app", {"main": "print()", "lib/a": "a"})
    (tmp_path / "app" / "empty").mkdir()
    (tmp_path / "app" / "main").chmod(0o700)
    packed = archive(tmp_path)
    assert members(packed) == {
        "laid": (0o755, None),
        "laid/empty": (0o755, None),
        "laid/lib": (0o755, None),
        "laid/lib/a": (0o644, b"a"),
        "laid/main": (0o755, b"print()"),
    }
    assert (packed.files, packed.sha256) == (2, sha256(packed.data).hexdigest())
    with tarfile.open(fileobj=io.BytesIO(packed.data)) as tar:
        owners = {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in tar}
    assert owners == {(0, 0, "", "", 315_532_800)}


def test_a_file_travels_alone_and_its_name_is_no_part_of_its_archive(tmp_path: Path) -> None:
    tree(tmp_path, {"one": "x", "two": "x", ".gitignore": "one\n"})
    assert members(archive(tmp_path, "one")) == {"laid": (0o644, b"x")}
    assert archive(tmp_path, "one") == archive(tmp_path, "two")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_same_files_are_the_same_bytes_under_every_umask_and_order_and_time(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = tmp_path / "app"
        for name in ("b", "a", "c") if umask == 0o022 else ("c", "a", "b"):
            tree(folder, {f"{name}/x": name})
            (folder / name / "run").write_text("#!/bin/sh\n")
            (folder / name / "run").chmod(0o777 & ~umask)
        os.utime(folder / "a" / "x", (umask, umask))
        assert archive(tmp_path).sha256 == "45b832ac3b29c53072b70ca75ea413540c91c7937496f3fb69feb926f93e68e3"
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({}, "a.log build/x lib/a.log lib/keep.log main"),
        ({".gitignore": "*.log\nbuild/\n"}, ".gitignore main"),
        ({".gitignore": "*.log\n!keep.log\n"}, ".gitignore build/x lib/keep.log main"),
        ({".gitignore": "/a.log\n# main\n\n"}, ".gitignore build/x lib/a.log lib/keep.log main"),
        ({".gitignore": "*.log\n", "lib/.gitignore": "!a.log\n"}, ".gitignore build/x lib/.gitignore lib/a.log main"),
        ({".dstackignore": "main\n"}, ".dstackignore a.log build/x lib/a.log lib/keep.log"),
        ({".gitignore": "main\n", ".dstackignore": "!main\nlib\n"}, ".dstackignore .gitignore a.log build/x main"),
        ({".gitignore": "build/\n!build/x\n"}, ".gitignore a.log lib/a.log lib/keep.log main"),
    ],
)
def test_what_is_ignored_stays_here(tmp_path: Path, rules: dict[str, str], kept: str) -> None:
    files = dict.fromkeys(("main", "build/x", "a.log", "lib/a.log", "lib/keep.log"), "")
    tree(tmp_path / "app", {**files, **rules})
    found = [name for name, (_, content) in members(archive(tmp_path)).items() if content is not None]
    assert " ".join(sorted(name.removeprefix("laid/") for name in found)) == kept


def test_rules_above_the_folder_count_up_to_the_repository_and_git_s_own_folder_stays_here(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "app\n"})
    files = {".gitignore": "*.tmp\n", ".git/HEAD": "ref", "app/a": "", "app/b": "", "app/c.tmp": ""}
    repo = tree(tmp_path / "repo", files)
    assert members(archive(repo)).keys() == {"laid", "laid/a", "laid/b"}
    assert members(archive(repo, ".")).keys() == {
        "laid", "laid/.gitignore", "laid/app", "laid/app/a", "laid/app/b", "laid/serve.dstack.yml",
    }  # fmt: skip


def test_links_within_the_folder_stay_links_and_others_become_the_file(tmp_path: Path) -> None:
    tree(tmp_path, {"app/a": "a", "app/sub/b": "b", "outside": "o"})
    (tmp_path / "app" / "near").symlink_to("sub/b")
    (tmp_path / "app" / "absolute").symlink_to(tmp_path / "app" / "sub" / "b")
    (tmp_path / "app" / "sub" / "up").symlink_to("../a")
    (tmp_path / "app" / "far").symlink_to("../outside")
    (tmp_path / "app" / "dangling").symlink_to("not-there")
    found = members(archive(tmp_path))
    assert {name: found[f"laid/{name}"] for name in ("near", "absolute", "sub/up", "far", "dangling")} == {
        "near": (0o777, "sub/b"),
        "absolute": (0o777, "sub/b"),
        "sub/up": (0o777, "../a"),
        "far": (0o644, b"o"),
        "dangling": (0o777, "not-there"),
    }


def test_a_private_file_outside_of_the_project_stays_private(tmp_path: Path) -> None:
    """ssh refuses a key that others can read."""
    project = tree(tmp_path / "project", {"key": "k"})
    tree(tmp_path / "home", {"id_rsa": "k", "config": "c"})
    for file in (project / "key", tmp_path / "home" / "id_rsa"):
        file.chmod(0o600)
    assert members(archive(project, "key")) == {"laid": (0o644, b"k")}
    assert members(archive(project, "../home")) == {
        "laid": (0o755, None),
        "laid/config": (0o644, b"c"),
        "laid/id_rsa": (0o600, b"k"),
    }


def test_a_home_folder_and_paths_as_in_dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree(tmp_path / "home", {"x": "x"})))
    project = tree(tmp_path / "project", {"app/y": "y"})
    plan = planned(project, f"files: ['~/x', 'app:/srv/app', '{project}/app/y', {{local_path: app, path: '~'}}]\n")
    assert [(file.local_path, file.path) for file in plan.files] == [
        ("~/x", "~/x"),
        ("app", "/srv/app"),
        (f"{project}/app/y", f"{project}/app/y"),
        ("app", "~"),
    ]
    assert [note for note in plan.notes if note.startswith("files")] == [
        "files: ~/x (1 file, 10,240 bytes) is copied to ~/x.",
        "files: app (1 file, 10,240 bytes) is copied to /srv/app.",
        f"files: {project}/app/y (1 file, 10,240 bytes) is copied to {project}/app/y.",
        "files: app (1 file, 10,240 bytes) is copied to ~.",
    ]
    assert len(plan.archives) == 3, "the same content is one archive"


def test_what_cannot_travel_is_refused_with_its_reason(tmp_path: Path) -> None:
    tree(tmp_path / "app", {"a": "a"})
    os.mkfifo(tmp_path / "app" / "pipe")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "folder").symlink_to(tmp_path / "app")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "link").symlink_to("../nowhere")
    assert refused(tmp_path, "files: [missing, app, linked, broken]\n") == (
        f"{tmp_path}/serve.dstack.yml: 4 problems\n\n"
        "line 5, files[0]\n  found:  missing\n"
        f"  rule:   {tmp_path}/missing does not exist\n"
        "  remedy: correct the path, or create it; it begins at the configuration\n\n"
        "line 5, files[1]\n  found:  app\n"
        f"  rule:   {tmp_path}/app/pipe is neither a file nor a folder nor a link\n"
        "  remedy: remove it, or leave it out by .gitignore\n\n"
        "line 5, files[2]\n  found:  linked\n"
        f"  rule:   the link {tmp_path}/linked/folder leads to a folder outside: {tmp_path}/app\n"
        "  remedy: name that folder in files too, and leave the link out by .gitignore\n\n"
        "line 5, files[3]\n  found:  broken\n"
        f"  rule:   the link {tmp_path}/broken/link leads nowhere\n"
        "  remedy: remove it, or leave it out by .gitignore"
    )


def test_a_folder_that_is_too_large_is_refused_with_its_largest_files(tmp_path: Path) -> None:
    tree(tmp_path / "app", {"a": "a" * 100})
    for name, size in (("weights", 3 * LARGEST_ARCHIVE), ("other", 1000)):
        with (tmp_path / "app" / name).open("wb") as file:
            file.truncate(size)
    assert (
        "  rule:   an archive has at most 2,097,152 bytes, as in dstack, and these are 6,292,556 bytes, the largest: "
        f"{tmp_path}/app/weights (6,291,456), {tmp_path}/app/other (1,000), {tmp_path}/app/a (100)\n"
        "  remedy: leave out what replicas do not need, with .gitignore or .dstackignore, or let commands download it"
    ) in refused(tmp_path, "files: [app]\n")


def test_a_file_of_the_largest_size_travels_and_one_with_a_byte_more_does_not(tmp_path: Path) -> None:
    largest = LARGEST_ARCHIVE // tarfile.RECORDSIZE * tarfile.RECORDSIZE - 3 * tarfile.BLOCKSIZE
    (tmp_path / "app").write_bytes(bytes(largest))
    assert archive(tmp_path).size <= LARGEST_ARCHIVE
    (tmp_path / "app").write_bytes(bytes(largest + 1))
    assert "an archive has at most 2,097,152 bytes" in refused(tmp_path, "files: [app]\n")


def test_a_folder_of_many_files_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    for number in range(4100):
        (tmp_path / "app" / f"{number}").touch()
    assert "these are more than 4,096 files and folders, the largest:" in refused(tmp_path, "files: [app]\n")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("files: [app, 'b:app']", "files[1]\n  found:  app\n  rule:   a path of the container can have one thing"),
        ("files: ['app:/data']\nvolumes: ['/x:/data']", "can have one thing, and volumes has another one for it"),
        ("files: ['app:/']", "files[0]\n  found:  /\n  rule:   nothing can replace the container's root folder"),
        ("files: ['app:x/..']\nrepos: ['https://h.example/r']", "can have one thing, and repos has another one for it"),
        ("repos: ['https://h.example/r:/']", "repos[0]\n  found:  /\n  rule:   a repository is cloned into a folder"),
        (
            f"files: [app]\ntags: {{{', '.join(f't{n}: x' for n in range(9))}}}",
            "tags\n  found:  9 tags\n  rule:   a service with files or repos has at most 8 tags",
        ),
    ],
)  # fmt: skip
def test_places_that_exclude_each_other(tmp_path: Path, lines: str, problem: str) -> None:
    tree(tmp_path, {"app": "a", "b": "b"})
    assert problem in refused(tmp_path, f"{lines}\n")


def test_the_hub_s_cache_makes_way_for_files(tmp_path: Path) -> None:
    tree(tmp_path, {"app": "a"})
    assert planned(tmp_path, "files: ['app:/data']\n").container.hub_cache_paths == ("/root/.cache/huggingface",)
    assert planned(tmp_path, "files: ['app:/data/x']\n").container.hub_cache_paths == (
        "/data",
        "/root/.cache/huggingface",
    )


def test_a_token_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "serve.dstack.yml").write_text(WEB)
    configuration = load(str(tmp_path / "serve.dstack.yml"))
    assert isinstance(configuration, ServiceConfiguration)
    settings = ServiceSettings(configuration="x", git_token=Secret("t0ken"))
    with pytest.raises(PlanError) as refusal:
        plan_service(configuration, run="run", environment={}, resolve=unresolved, settings=settings)
    assert str(refusal.value).endswith(
        "stack config git_token\n"
        "  rule:   git_token reads the repository of `repos`, and the configuration has none\n"
        "  remedy: remove it: pulumi config rm git_token"
    )
