"""What `repos` clones: a URL, or a local clone with what is changed in it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from infra.planning.local_files import ClonedRepository
from tests.planning.test_local_files import planned, refused
from tests.support.git import ADDRESS, cloned, committed, git


def repository(folder: Path, lines: str) -> ClonedRepository:
    found = planned(folder, lines).repository
    assert found is not None
    return found


def changes(found: ClonedRepository) -> tuple[list[str], dict[str, bytes | str]]:
    """The names of what changed, and what is there after the changes: contents of files, targets of links."""
    assert found.changes is not None
    with tarfile.open(fileobj=io.BytesIO(found.changes.data)) as tar:
        contents: dict[str, bytes | str] = {}
        for member in tar:
            opened = None if member.issym() else tar.extractfile(member)
            contents[member.name] = opened.read() if opened else member.linkname
    names = contents.pop("changed")
    assert isinstance(names, bytes)
    return names.decode().split("\0")[:-1], contents


@pytest.mark.parametrize(
    ("written", "url", "path"),
    [
        ("https://github.com/org/app", "https://github.com/org/app", "."),
        ("https://GitHub.com:8443/org/app.git:/app", "https://github.com:8443/org/app.git", "/app"),
        ("git@github.com:org/app.git", "https://github.com/org/app.git", "."),
        ("git@github.com:org/app.git:code", "https://github.com/org/app.git", "code"),
        ("ssh://git@github.com:22/org/app.git:~/code", "https://github.com/org/app.git", "~/code"),
    ],
)
def test_a_url_is_cloned_by_https_as_in_dstack(tmp_path: Path, written: str, url: str, path: str) -> None:
    assert repository(tmp_path, f"repos: ['{written}']\n") == ClonedRepository(
        url=url, branch=None, hash=None, path=path, if_exists="error", changes=None, token=None
    )


def test_a_branch_and_a_commit_and_what_the_plan_says(tmp_path: Path) -> None:
    commit = "0123456789" * 4
    plan = planned(tmp_path, f"repos: [{{url: {ADDRESS}, branch: a/b, hash: '{commit}', path: x, if_exists: skip}}]\n")
    assert plan.repository == ClonedRepository(
        url=ADDRESS, branch="a/b", hash=commit, path="x", if_exists="skip", changes=None, token=None
    )
    assert [note for note in plan.notes if note.startswith("repos")] == [
        f"repos: each replica clones {ADDRESS} at commit 012345678901 to x in the working directory."
    ]
    floating = planned(tmp_path, f"repos: [{{url: {ADDRESS}, branch: a/b}}]\n").notes
    assert [note for note in floating if note.startswith("repos")] == [
        f"repos: each replica clones {ADDRESS} at the newest commit of a/b to the working directory.",
        "repos: a replica that starts later can get newer code. For the same code everywhere, set hash.",
    ]


def test_a_clean_clone_is_its_remote_s_commit(tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1", "sub/a": "a"})
    expected = ClonedRepository(
        url=ADDRESS,
        branch="main",
        hash=git(clone, "rev-parse", "HEAD"),
        path=".",
        if_exists="error",
        changes=None,
        token=None,
    )
    assert repository(tmp_path, "repos: [clone]\n") == expected
    assert repository(tmp_path, "repos: [clone/sub]\n") == expected, "a folder in it stands for the whole"


def test_local_changes_and_commits_travel_and_what_is_ignored_does_not(tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1", "gone": "x", "mode": "m", "becomes/folder": "f", ".gitignore": "*.log\n"})
    pushed = git(clone, "rev-parse", "HEAD")
    (clone / "committed").write_text("c")
    committed(clone, "not pushed")
    (clone / "main").write_text("2")
    (clone / "gone").unlink()
    (clone / "mode").chmod(0o755)
    (clone / "becomes" / "folder").unlink()
    (clone / "becomes").rmdir()
    (clone / "becomes").write_text("a file")
    (clone / "new").mkdir()
    (clone / "new" / "é \n").write_bytes(b"\0\xff")
    (clone / "link").symlink_to("main")
    (clone / "x.log").write_text("l")
    found = repository(tmp_path, "repos: ['clone:/code']\n")
    assert (found.hash, found.branch, found.path) == (pushed, "main", "/code")
    assert changes(found) == (
        ["becomes", "becomes/folder", "committed", "gone", "link", "main", "mode", "new/é \n"],
        {
            "laid/becomes": b"a file",
            "laid/committed": b"c",
            "laid/link": "main",
            "laid/main": b"2",
            "laid/mode": b"m",
            "laid/new/é \n": b"\0\xff",
        },
    )
    note = f"repos: each replica clones {ADDRESS} at commit {pushed[:12]} to /code, with your local changes (6 files, "
    assert any(text.startswith(note) for text in planned(tmp_path, "repos: ['clone:/code']\n").notes)


def test_only_deleted_files_are_changes_too(tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1", "gone": "x"})
    (clone / "gone").unlink()
    assert changes(repository(tmp_path, "repos: [clone]\n")) == (["gone"], {})


def test_a_hook_of_git_and_the_user_s_settings_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = cloned(tmp_path / "a", {"main": "1", "sub/old": "x"})
    git(clone, "mv", "sub/old", "sub/new")
    before = repository(tmp_path / "a", "repos: [clone]\n")
    settings = "[diff]\nnoprefix = true\nrenames = copies\nrelative = true\n[core]\nquotepath = true\n"
    (tmp_path / "gitconfig").write_text(settings)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(cloned(tmp_path / "b", {"other": "2"}) / ".git"))
    assert repository(tmp_path / "a", "repos: [clone/sub]\n") == before
    assert changes(before)[0] == ["sub/new", "sub/old"]


def test_a_folder_that_replicas_cannot_clone_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    clone = cloned(tmp_path, {"main": "1"})
    said = refused(tmp_path, "repos: [plain]\n")
    assert f"line 5, repos[0]\n  found:  plain\n  rule:   {tmp_path}/plain is not a git repository; git says: " in said
    assert "remedy: use `files` in place of `repos` to copy the folder without git" in said
    assert "is not a folder" in refused(tmp_path, "repos: [missing]\n")
    git(clone, "remote", "set-url", "origin", str(tmp_path / "origin.git"))
    said = refused(tmp_path, "repos: [clone]\n")
    assert "rule:   the remote of this clone is not at an address that replicas reach by HTTPS" in said
    git(clone, "checkout", "--quiet", "-b", "mine")
    said = refused(tmp_path, "repos: [clone]\n")
    assert "rule:   the branch mine follows no remote branch; git says: " in said
    assert "remedy: run `git push --set-upstream origin mine`" in said
    git(clone, "checkout", "--quiet", "--detach")
    assert "rule:   no branch is checked out there (git calls this a detached HEAD)" in refused(
        tmp_path, "repos: [clone]\n"
    )


def test_changes_that_are_too_large_are_refused(tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1"})
    with (clone / "weights").open("wb") as file:
        file.truncate(3_000_000)
    said = refused(tmp_path, "repos: [clone]\n")
    assert f"these are 3,000,000 bytes, the largest: {clone}/weights (3,000,000)" in said
    assert "an archive has at most 2,097,152 bytes, as in dstack" in said


def test_a_repository_within_the_clone_is_refused(tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1"})
    git(clone, "init", "--quiet", "inner")
    (clone / "inner" / "a").write_text("a")
    committed(clone / "inner", "first")
    assert "inner/ is a repository of its own" in refused(tmp_path, "repos: [clone]\n")


def test_without_git_a_url_is_still_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloned(tmp_path, {"main": "1"})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "rule:   git is not installed here" in refused(tmp_path, "repos: [clone]\n")
    assert repository(tmp_path, f"repos: [{ADDRESS}]\n").url == ADDRESS
