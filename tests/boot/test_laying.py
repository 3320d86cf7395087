"""`files` and `repos` on a machine: real bash, tar and git. A folder plays the image: what a shell in it says."""

from __future__ import annotations

import base64
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.configuration import Secret
from infra.planning import ServicePlan
from infra.planning.boot import objects
from tests.boot.machine import BUCKET, Machine
from tests.boot.planned import planned
from tests.boot.test_outcomes import GIVES_UP, TRIES_AGAIN, lines_of, says
from tests.boot.test_serving import serves
from tests.support.git import ADDRESS, cloned, committed, git

LOOKS = """if [[ $* == *"--entrypoint sh"* ]]; then
  cd "$STUBS/image/srv" && HOME=$STUBS/image/root exec /bin/sh -s -- "${*: -1}"
fi"""
"""docker run: the look into the image really runs there."""
Makes = Callable[..., Machine]


@pytest.fixture
def makes(tmp_path: Path) -> Iterator[Makes]:
    """Makes a machine for a plan, with an image whose working directory is /srv and whose home folder is /root."""
    machines: list[Machine] = []

    def made(plan: ServicePlan) -> Machine:
        machine = Machine(tmp_path / f"machine-{len(machines)}", plan)
        for folder in ("srv", "root"):
            (machine.root / "image" / folder).mkdir(parents=True)
        machine.answer("docker-run", LOOKS)
        (machine.root / "gitconfig").write_text(f'[url "{tmp_path}/origin.git"]\n\tinsteadOf = {ADDRESS}\n')
        machines.append(machine)
        return machine

    yield made
    for machine in machines:
        machine.end()


def laid(boot: Machine) -> dict[str, Path]:
    """What the container has of this machine's files: by the path in the container, the path here."""
    arguments = [call.arguments for call in boot.calls("docker-run") if "--detach" in call.arguments][-1]
    image, here = str(boot.root / "image"), str(boot.file_system)
    mounts = [one for one in arguments if one.startswith(f"type=bind,source={here}/var/lib/servestack/laid/")]
    pairs = (one.removeprefix("type=bind,source=").split(',"target=') for one in mounts)
    return {place.removesuffix('"').removeprefix(image): Path(source) for source, place in pairs}


def variables(boot: Machine) -> list[str]:
    arguments = [call.arguments for call in boot.calls("docker-run") if "--detach" in call.arguments][-1]
    return [one for one in arguments if one.startswith("DSTACK_REPO_DIR=")]


def contents(clone: Path) -> dict[Path, bytes]:
    files = [path for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(clone): path.read_bytes() for path in files}


def test_files_are_where_dstack_lays_them(makes: Makes, tmp_path: Path) -> None:
    (tmp_path / "app" / "lib").mkdir(parents=True)
    (tmp_path / "app" / "lib" / "a").write_text("a")
    (tmp_path / "one").write_text("1")
    (tmp_path / "one").chmod(0o755)
    app, one = tmp_path / "app", tmp_path / "one"
    boot = makes(planned(f"files: ['{app}:code', '{one}:~/bin/one', '{one}:/opt/a,b\"c', '{app}:../up/', '{one}']\n"))
    serves(boot)
    places = laid(boot)
    assert places.keys() == {"/srv/code", "/root/bin/one", '/opt/a,b""c', "/up", str(one)}
    assert (places["/srv/code"] / "lib" / "a").read_text() == "a"
    assert (places["/root/bin/one"].read_text(), places["/root/bin/one"].stat().st_mode & 0o777) == ("1", 0o755)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in places.values()} == {(os.getuid(), os.getgid())}
    fetched = [call.arguments[6:-1] for call in boot.calls("aws-s3api-get-object")]
    keys = [f"runs/run/{name}" for name in objects(boot.plan)]
    assert sorted(fetched) == sorted(("s3api", "get-object", "--bucket", BUCKET, "--key", key) for key in keys)


def test_the_look_into_the_image_is_by_the_user_and_in_the_folder_of_the_container(
    makes: Makes, tmp_path: Path
) -> None:
    (tmp_path / "one").write_text("1")
    boot = makes(planned(f"files: ['{tmp_path}/one:one']\nworking_dir: /work\nuser: '1000:100'\n"))
    serves(boot)
    look, _ = (call.arguments for call in boot.calls("docker-run"))
    assert look == (
        *("run", "--rm", "--interactive", "--log-driver", "none", "--pull", "never"),
        *("--workdir", "/work", "--user", "1000:100"),
        *("--entrypoint", "sh", "registry.example.com/tgi:3", "-s", "--", "."),
    )


def test_each_start_of_the_container_has_the_files_as_they_were(makes: Makes, tmp_path: Path) -> None:
    cloned(tmp_path, {"main": "1"})
    (tmp_path / "one").write_text("1")
    boot = makes(planned(f"files: ['{tmp_path}/one:/one']\nrepos: ['{ADDRESS}:/code']\n"))
    boot.answer("docker-wait", "printf '1\\n'")
    assert boot.run("serve") == TRIES_AGAIN
    before = laid(boot)
    before["/one"].write_text("changed")
    (before["/code"] / "main").write_text("changed")
    (before["/code"] / "new").write_text("new")
    assert boot.run("serve") == TRIES_AGAIN
    after = laid(boot)
    assert (after["/one"].read_text(), (after["/code"] / "main").read_text()) == ("1", "1")
    assert sorted(os.listdir(after["/code"])) == [".git", "main"]
    assert len(boot.calls("aws-s3api-get-object")) == 2, "what was fetched stays on the machine"
    assert lines_of(boot).count(f"cloning {ADDRESS}") == 1


def test_a_branch_of_a_url_is_cloned(makes: Makes, tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1"})
    git(clone, "checkout", "--quiet", "-b", "next")
    (clone / "main").write_text("2")
    newest = committed(clone, "second")
    git(clone, "push", "--quiet", str(tmp_path / "origin.git"), "next")
    boot = makes(planned(f"repos: [{{url: '{ADDRESS}', branch: next}}]\n"))
    serves(boot)
    (code,) = laid(boot).values()
    assert laid(boot).keys() == {"/srv"}
    assert (git(code, "rev-parse", "HEAD"), git(code, "rev-parse", "--abbrev-ref", "HEAD")) == (newest, "next")
    assert variables(boot) == [f"DSTACK_REPO_DIR={boot.root}/image/srv"]


def test_a_commit_of_a_url_is_checked_out(makes: Makes, tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1"})
    first = git(clone, "rev-parse", "HEAD")
    (clone / "main").write_text("2")
    committed(clone, "second")
    git(clone, "push", "--quiet", str(tmp_path / "origin.git"), "main")
    boot = makes(planned(f"repos: [{{url: '{ADDRESS}', hash: '{first}', path: ~/code}}]\n"))
    serves(boot)
    code = laid(boot)["/root/code"]
    assert (git(code, "rev-parse", "HEAD"), (code / "main").read_text()) == (first, "1")


def test_a_local_clone_arrives_with_its_changes(makes: Makes, tmp_path: Path) -> None:
    clone = cloned(tmp_path, {"main": "1", "gone": "x", "folder/a": "a", "file": "f", "-dash": "d"})
    (clone / "main").write_text("2")
    (clone / "gone").unlink()
    (clone / "-dash").unlink()
    (clone / "folder" / "a").unlink()
    (clone / "folder").rmdir()
    (clone / "folder").write_text("a file now")
    (clone / "file").unlink()
    (clone / "file").mkdir()
    (clone / "file" / "new é").write_text("n")
    (clone / "run").write_text("#!/bin/sh\n")
    (clone / "run").chmod(0o755)
    boot = makes(planned(f"repos: ['{clone}:/code']\n"))
    serves(boot)
    code = laid(boot)["/code"]
    assert git(code, "diff", "--stat", git(code, "rev-parse", "HEAD")) == git(clone, "diff", "--stat", "@{upstream}")
    assert git(code, "status", "--porcelain") == git(clone, "status", "--porcelain")
    assert contents(code) == contents(clone)


def test_files_of_the_image_are_not_hidden_by_a_repository(makes: Makes, tmp_path: Path) -> None:
    cloned(tmp_path, {"main": "1"})
    boot = makes(planned(f"repos: ['{ADDRESS}']\n"))
    (boot.root / "image" / "srv" / "there").write_text("x")
    assert boot.run("serve") == GIVES_UP
    place = f"{boot.root}/image/srv"
    assert (
        f"the image has files in {place}, where the repository belongs: "
        "write another path under repos, or if_exists: skip"
    ) in lines_of(boot)[-1]
    skips = makes(planned(f"repos: [{{url: '{ADDRESS}', if_exists: skip}}]\n"))
    (skips.root / "image" / "srv" / "there").write_text("x")
    serves(skips)
    assert laid(skips) == {}
    assert variables(skips) == [f"DSTACK_REPO_DIR={skips.root}/image/srv"]
    assert f"cloning {ADDRESS}" not in lines_of(skips)


SECRET = "t0ken"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that shows the bare repository only with the token, and the paths that it refused."""
    refused: list[str] = []
    expected = "Basic " + base64.b64encode(f"oauth2:{SECRET}".encode()).decode()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") == expected:
                return super().do_GET()
            refused.append(self.path)
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/origin.git", refused
        server.shutdown()
        thread.join()


def private(url: str, token: Secret | None) -> ServicePlan:
    """A plan of a repository at an address without TLS, which no configuration can have."""
    plan = planned(f"repos: ['{ADDRESS}:/code']\n")
    assert plan.repository is not None
    return dataclasses.replace(plan, repository=dataclasses.replace(plan.repository, url=url, token=token))


def test_a_private_repository_is_read_with_the_token_that_nobody_sees(
    makes: Makes, tmp_path: Path, served: tuple[str, list[str]]
) -> None:
    cloned(tmp_path, {"main": "1"})
    git(tmp_path / "origin.git", "update-server-info")
    boot = makes(private(served[0], Secret(SECRET)))
    serves(boot)
    code = laid(boot)["/code"]
    assert ((code / "main").read_text(), served[1]) == ("1", [])
    encoded = base64.b64encode(f"oauth2:{SECRET}".encode()).decode()
    shown = [boot.script, boot.output, *(objects(boot.plan)[name].decode() for name in objects(boot.plan))]
    shown += [" ".join(call.arguments) for call in boot.calls()] + [(code / ".git" / "config").read_text()]
    shown += [str(call.environment) for call in boot.calls()]
    assert [text for text in shown if SECRET in text or encoded in text] == []


def test_a_repository_that_the_token_cannot_read_is_a_cause(
    makes: Makes, tmp_path: Path, served: tuple[str, list[str]]
) -> None:
    url, _ = served
    without, wrong = makes(private(url, None)), makes(private(url, Secret("wrong")))
    assert without.run("serve") == GIVES_UP
    assert (
        f"the repository {url} was not found, or it is private: pulumi config set --secret git_token: "
        in lines_of(without)[-1]
    )
    assert wrong.run("serve") == GIVES_UP
    assert f"the repository {url} was not found, or git_token cannot read it: " in lines_of(wrong)[-1]


@pytest.mark.parametrize(
    ("repository", "cause", "status"),
    [
        ("branch: nope", f"the repository {ADDRESS} has no branch nope: push it, or correct repos", GIVES_UP),
        (f"hash: '{'0a' * 20}'", f"the repository {ADDRESS} has no commit {'0a' * 20}: push it, or correct", GIVES_UP),
    ],
)
def test_a_branch_or_a_commit_that_is_not_there_is_a_cause(
    makes: Makes, tmp_path: Path, repository: str, cause: str, status: int
) -> None:
    cloned(tmp_path, {"main": "1"})
    boot = makes(planned(f"repos: [{{url: '{ADDRESS}', {repository}}}]\n"))
    assert boot.run("serve") == status
    assert cause in lines_of(boot)[-1]


def test_a_host_that_does_not_answer_is_tried_again(makes: Makes) -> None:
    boot = makes(private("http://127.0.0.1:9/origin.git", None))
    assert boot.run("serve") == TRIES_AGAIN
    assert "the repository http://127.0.0.1:9/origin.git could not be cloned: " in lines_of(boot)[-1]


def test_causes_of_the_image_and_of_the_bucket(makes: Makes, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    no_shell = makes(planned(f"files: ['{tmp_path}/one:/one']\n"))
    no_shell.answer("docker-run", says('docker: exec: "sh": executable file not found in $PATH: unknown', 127))
    assert no_shell.run("serve") == GIVES_UP
    said = "files and repos need a shell in the image, as in dstack, and registry.example.com/tgi:3 has no sh"
    assert said in lines_of(no_shell)[-1]
    root = makes(planned(f"files: ['{tmp_path}/one:..']\n"))
    root.answer("docker-run", LOOKS.replace('"$STUBS/image/srv"', "/srv"))
    assert root.run("serve") == GIVES_UP
    assert "files cannot replace the root folder of the container" in lines_of(root)[-1]
    refused = makes(planned(f"files: ['{tmp_path}/one:/one']\n"))
    denied = "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied"
    refused.answer("aws-s3api-get-object", says(denied, 254))
    assert [refused.run("serve") for _ in range(3)] == [TRIES_AGAIN, TRIES_AGAIN, GIVES_UP]
    assert f"files could not be fetched from the bucket {BUCKET}: {denied}" in lines_of(refused)[-1]


def test_an_object_that_is_not_what_its_name_says_is_not_run(makes: Makes, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    boot = makes(planned(f"files: ['{tmp_path}/one:/one']\n"))
    for stored in (boot.root / "objects").iterdir():
        stored.write_text("touch $STUBS/harm\n")
    assert boot.run("serve") == TRIES_AGAIN
    assert not (boot.root / "harm").exists()


def test_a_machine_without_git_says_so(makes: Makes) -> None:
    boot = makes(planned(f"repos: ['{ADDRESS}:/code']\n"))
    text = (boot.root / "boot.sh").read_text()
    (boot.root / "boot.sh").write_text(
        text.replace("set -euo pipefail", "set -euo pipefail\ntype() { [[ $2 != git ]]; }")
    )
    assert boot.run("serve") == GIVES_UP
    assert "the machine image has no git: remove ami from stack config" in lines_of(boot)[-1]
