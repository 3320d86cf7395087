"""From `files` and `repos` of a configuration to what a replica lays into its container."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from infra.configuration import Problem, ServiceConfiguration, ServiceSettings
from infra.configuration.files import FileMapping, Repository, https_url
from infra.planning.local_files.archive import Archive, CannotPack, packed
from infra.planning.local_files.ignoring import kept
from infra.planning.local_files.laid import ClonedRepository, LaidFile
from infra.planning.local_files.working_copy import read_working_copy
from infra.planning.resource_tags import RUN_TAG, STACK_TAG

MOST_OBJECT_TAGS = 10
"""AmazonS3/latest/userguide/object-tagging.html"""
_TOP = "laid"
"""The only name at the top of an archive, so that the same content has the same bytes under every name."""


def lay_files(configuration: ServiceConfiguration, problems: list[Problem]) -> tuple[LaidFile, ...]:
    """Return the files and folders of `files`, packed. Those that cannot travel are added to `problems`."""
    laid: list[LaidFile] = []
    for index, mapping in enumerate(configuration.files):
        try:
            archive = _packed(configuration, mapping)
        except (CannotPack, OSError) as error:
            problems.append(_problem(configuration, f"files[{index}]", ("files", index), mapping.local_path, error))
            continue
        laid.append(LaidFile(local_path=mapping.local_path, path=mapping.path, archive=archive))
    _check_paths(configuration, problems)
    _check_tags(configuration, problems)
    return tuple(laid)


def lay_repository(
    configuration: ServiceConfiguration, settings: ServiceSettings, problems: list[Problem]
) -> ClonedRepository | None:
    """Return the repository of `repos`; `None`: the configuration has no repository, or it is in
    `problems`."""
    if not configuration.repos:
        if settings.git_token is not None:
            rule = "git_token reads the repository of `repos`, and the configuration has none"
            remedy = "remove it: pulumi config rm git_token"
            problems.append(Problem(where="stack config git_token", rule=rule, remedy=remedy))
        return None
    repository = configuration.repos[0]
    clone = ClonedRepository(
        url="",
        branch=repository.branch,
        hash=repository.hash,
        path=repository.path,
        if_exists=repository.if_exists,
        changes=None,
        token=settings.git_token,
    )
    if repository.url is not None:
        return replace(clone, url=https_url(repository.url) or "")
    try:
        return _of_local_clone(configuration, repository, clone)
    except (CannotPack, OSError) as error:
        found = repository.local_path or ""
        problems.append(_problem(configuration, "repos[0]", ("repos", 0), found, error))
        return None


def laying_notes(files: tuple[LaidFile, ...], repository: ClonedRepository | None) -> Iterator[str]:
    """Return what the user sees of them in the plan."""
    for file in files:
        yield f"files: {file.local_path} ({_counted(file.archive)}) is copied to {_place(file.path)}."
    if repository is None:
        return
    at = f"at commit {repository.hash[:12]}" if repository.hash else _newest(repository.branch)
    to = f"repos: each replica clones {repository.url} {at} to {_place(repository.path)}"
    changes = repository.changes
    yield f"{to}, with your local changes ({_counted(changes)})." if changes else f"{to}."
    if repository.hash is None:
        yield "repos: a replica that starts later can get newer code. For the same code everywhere, set hash."


def _newest(branch: str | None) -> str:
    return f"at the newest commit of {branch}" if branch else "at the newest commit"


def _counted(archive: Archive) -> str:
    return f"{archive.files} {'file' if archive.files == 1 else 'files'}, {archive.size:,} bytes"


def _place(path: str) -> str:
    if path.startswith(("/", "~")):
        return path
    path = posixpath.normpath(path)
    return "the working directory" if path == "." else f"{path} in the working directory"


def _packed(configuration: ServiceConfiguration, mapping: FileMapping) -> Archive:
    base = _folder(configuration)
    given = base / Path(mapping.local_path).expanduser()
    if not given.exists():
        raise CannotPack(f"{given} does not exist", "correct the path, or create it; it begins at the configuration")
    root = given.resolve()
    names = kept(root, base) if root.is_dir() else [root]
    members = ((_TOP if path == root else f"{_TOP}/{path.relative_to(root).as_posix()}", path) for path in names)
    # What lies outside of the project, such as ~/.ssh, can have keys that a program refuses if others can read them.
    return packed(members, root, private=not root.is_relative_to(base))


def _of_local_clone(
    configuration: ServiceConfiguration, repository: Repository, clone: ClonedRepository
) -> ClonedRepository:
    folder = (_folder(configuration) / Path(repository.local_path or "").expanduser()).resolve()
    if not folder.is_dir():
        raise CannotPack(f"{folder} is not a folder", "write the folder of your clone, or `url: https://…`")
    copy = read_working_copy(folder)
    url = https_url(copy.remote)
    if url is None:
        why = "the remote of this clone is not at an address that replicas reach by HTTPS"
        raise CannotPack(why, "push it to a server with HTTPS, or use `files` to copy the folder without git")
    return replace(clone, url=url, branch=copy.branch, hash=copy.hash, changes=copy.changes)


def _folder(configuration: ServiceConfiguration) -> Path:
    """The folder of the configuration's file, where relative paths begin."""
    return Path(configuration.source.name).resolve().parent


def _check_paths(configuration: ServiceConfiguration, problems: list[Problem]) -> None:
    """Each path of the container can be mounted only once."""
    taken = {volume.path: "volumes" for volume in configuration.volumes}
    for repository in configuration.repos:
        taken[posixpath.normpath(repository.path)] = "repos"
    for index, mapping in enumerate(configuration.files):
        path = posixpath.normpath(mapping.path)
        if path == "/":
            rule, remedy = "nothing can replace the container's root folder", "write a folder below /, such as /app"
        elif path in taken:
            rule = f"a path of the container can have one thing, and {taken[path]} has another one for it"
            remedy = "write another path"
        else:
            taken[path] = "files"
            continue
        line = configuration.source.line(("files", index))
        problems.append(Problem(where=f"files[{index}]", line=line, found=mapping.path, rule=rule, remedy=remedy))
    for repository in configuration.repos:
        if posixpath.normpath(repository.path) in {"/", *(volume.path for volume in configuration.volumes)}:
            rule = "a repository is cloned into a folder of its own"
            line = configuration.source.line(("repos", 0))
            remedy = "write another path, such as /app"
            problems.append(Problem(where="repos[0]", line=line, found=repository.path, rule=rule, remedy=remedy))


def _check_tags(configuration: ServiceConfiguration, problems: list[Problem]) -> None:
    """Every resource of a stack has its tags, and these are objects of S3."""
    most = MOST_OBJECT_TAGS - len((STACK_TAG, RUN_TAG))
    if (configuration.files or configuration.repos) and len(configuration.tags) > most:
        rule = (
            f"a service with files or repos has at most {most} tags, because S3 allows {MOST_OBJECT_TAGS} on an object"
        )
        line = configuration.source.line(("tags",))
        found = f"{len(configuration.tags)} tags"
        problems.append(Problem(where="tags", line=line, found=found, rule=rule, remedy="remove some tags"))


def _problem(
    configuration: ServiceConfiguration, where: str, path: tuple[str, int], found: str, error: CannotPack | OSError
) -> Problem:
    line = configuration.source.line(path)
    if isinstance(error, CannotPack):
        return Problem(where=where, line=line, found=found, rule=str(error), remedy=error.remedy)
    rule = f"{error.filename} cannot be read: {error.strerror}"
    return Problem(
        where=where, line=line, found=found, rule=rule, remedy="make it readable, or leave it out by .gitignore"
    )
