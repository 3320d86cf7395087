"""docker of a machine: its command answers as docker does, and containers are as separate as docker's."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

import pytest

from cloud.machines.docker.awslogs import LogStream
from cloud.machines.docker.images import PATH, STAND_INS
from tests.cloud.machines.docker_host import ADDRESS, INSIDE, DockerHost
from tests.support.processes import wait_until

Hosts = Callable[..., DockerHost]

DENIED = (
    "Error response from daemon: pull access denied for team/private, repository does not exist or may require "
    "'docker login': denied: requested access to the resource is denied\n"
)


def test_an_image_is_there_once_it_was_pulled(docker: Hosts) -> None:
    host = docker()
    assert host("image", "inspect", "python:3") == (1, "[]\n", "Error response from daemon: No such image: python:3\n")
    assert host("run", "--pull", "never", "python:3") == (
        125,
        "",
        "docker: Error response from daemon: No such image: python:3\n\nRun 'docker run --help' for more information\n",
    )
    pulled = host.out("pull", "vllm/vllm-openai:v0.11.0").splitlines()
    assert [re.sub("[0-9a-f]{12,64}", "…", line) for line in pulled] == [
        "v0.11.0: Pulling from vllm/vllm-openai",
        *["…: Pulling fs layer"] * 2,
        *["…: Verifying Checksum"] * 2,
        *["…: Download complete"] * 2,
        *["…: Pull complete"] * 2,
        "Digest: sha256:…",
        "Status: Downloaded newer image for vllm/vllm-openai:v0.11.0",
        "docker.io/vllm/vllm-openai:v0.11.0",
    ]
    assert json.loads(host.out("image", "inspect", "vllm/vllm-openai:v0.11.0")) == [
        {"RepoTags": ["vllm/vllm-openai:v0.11.0"], "Architecture": "amd64", "Os": "linux"}
    ]


def test_a_registry_refuses_in_its_own_words(docker: Hosts) -> None:
    host = docker()
    refusals = {image: host("pull", image) for image in ("team/not-found:1", "team/private", "x/rate-limited")}
    assert refusals == {
        "team/not-found:1": (
            1,
            "",
            "Error response from daemon: manifest for team/not-found:1 not found: manifest unknown: manifest unknown\n",
        ),
        "team/private": (1, "", DENIED),
        "x/rate-limited": (
            1,
            "",
            "Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. "
            "https://www.docker.com/increase-rate-limit\n",
        ),
    }


def test_a_login_opens_private_images_to_the_folder_that_it_was_made_for(docker: Hosts) -> None:
    host = docker()
    login = ("login", "--username", "me", "--password-stdin", "registry.example.com")
    one = ("--config", str(host.folder / "one"))
    assert host(*one, *login, input="wrong") == (
        1,
        "",
        'Error response from daemon: Get "https://registry.example.com/v2/": unauthorized: incorrect username or '
        "password\n",
    )
    assert host(*one, *login, input="right") == (0, "Login Succeeded\n", "")
    private = "registry.example.com/team/private"
    assert [host(*config, "pull", image)[0] for config, image in (((), private), (one, "team/private"))] == [1, 1]
    assert host(*one, "pull", private)[0] == 0


def test_a_container_has_exactly_the_variables_that_docker_gives_it(docker: Hosts) -> None:
    host = docker()
    value = "a 'b' \"c\" $d\nü"
    host.pull("python:3")
    words = ("run", "--rm", "--env", "GIVEN", "--env", "MISSING", "--env", "HERE=1=2", "--entrypoint", "python3")
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    given = {"GIVEN": value, "OTHER": "not passed on"}
    found = json.loads(host.out(*words, "python:3", "-c", script, environment=given))
    name = found.pop("HOSTNAME")
    assert re.fullmatch("[0-9a-f]{12}", name)
    assert found == {
        "PATH": f"{STAND_INS}/bin:{PATH}",
        "HOME": "/root",
        "GIVEN": value,
        "HERE": "1=2",
        **{locale: found[locale] for locale in ("LC_CTYPE",) if locale in found},  # Python's own
    }


def test_a_container_has_files_processes_and_a_network_of_its_own(docker: Hosts) -> None:
    host = docker()
    (host.folder / "root/there").mkdir(parents=True)
    (host.folder / "root/there/file").write_text("of the machine\n")
    mount = ("--mount", 'type=bind,source=/there,"target=/srv/a b"')
    script = 'cat "/srv/a b/file"; echo $$; pwd; echo /home/* /srv/*; cat /proc/net/tcp | wc -l'
    printed = host.says(script, options=(*mount, "--workdir", "/made/for/it"))
    assert printed.splitlines()[:4] == ["of the machine", "1", "/made/for/it", "/home/* /srv/a b"]
    assert printed.splitlines()[-1] == "1", "the header alone: nothing listens in its network"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (
            ("--entrypoint", "nonsense", "python:3"),
            127,
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
            "failed: unable to start container process: error during container init: exec: \"nonsense\": executable "
            "file not found in $PATH: unknown",
        ),
        (
            ("--entrypoint", "/etc/passwd", "python:3"),
            126,
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
            "failed: unable to start container process: error during container init: exec: \"/etc/passwd\": permission "
            "denied: unknown",
        ),
        (
            ("--mount", "type=bind,source=/missing,target=/srv", "python:3"),
            125,
            'invalid mount config for type "bind": bind source path does not exist: /missing',
        ),
        (
            ("--user", "somebody", "python:3"),
            125,
            "unable to find user somebody: no matching entries in passwd file",
        ),
    ],
    ids=["no such program", "no program", "no such folder", "no such user"],
)  # fmt: skip
def test_what_cannot_run_is_refused_as_docker_does(
    docker: Hosts, words: tuple[str, ...], status: int, says: str
) -> None:
    host = docker()
    host.pull("python:3")
    assert host("run", "--detach", *words) == (
        status,
        "",
        f"docker: Error response from daemon: {says}\n\nRun 'docker run --help' for more information\n",
    )


def test_a_name_can_be_used_again_after_the_container_was_removed(docker: Hosts) -> None:
    host = docker()
    host.run("python:3", "python3", "-c", "import time; time.sleep(100)")
    again = ("run", "--detach", "--name", "one", "python:3")
    help_ = "\n\nRun 'docker run --help' for more information\n"
    status, _, errors = host(*again)
    assert (status, re.sub("[0-9a-f]{64}", "…", errors)) == (
        125,
        'docker: Error response from daemon: Conflict. The container name "/one" is already in use by container "…". '
        "You have to remove (or rename) that container to be able to reuse that name." + help_,
    )
    assert host.out("rm", "--force", "one") == "one\n"
    assert host(*again)[0] == 0
    assert host("rm", "--force", "nobody") == (0, "", "Error response from daemon: No such container: nobody\n")
    assert host("wait", "nobody") == (1, "", "Error response from daemon: No such container: nobody\n")


def test_wait_prints_the_status_and_logs_what_was_written(docker: Hosts) -> None:
    host = docker()
    host.run("python:3", "python3", "-c", "print('x' * 3); print('last'); raise SystemExit(7)")
    assert host.out("wait", "one") == "7\n"
    assert host.out("logs", "one") == "xxx\nlast\n"
    assert host.out("logs", "--tail", "1", "one") == "last\n"
    assert host.out("inspect", "--format", "{{.State.Pid}}", "one") == "0\n"
    assert host("inspect", "--format", "{{.State.Pid}}", "two") == (1, "\n", "Error: No such object: two\n")


def test_a_container_with_a_terminal_writes_as_to_a_terminal(docker: Hosts) -> None:
    host = docker()
    options = ("--tty", "--entrypoint", "/bin/bash")
    host.run("python:3", "-i", "-c", "[ -t 1 ] && echo terminal; nvidia-smi --list-gpus", options=options)
    assert host.out("wait", "one") == "0\n"
    assert host.out("logs", "one").split("\r\n") == [
        "terminal",
        "GPU 0: NVIDIA L4 (UUID: GPU-00000000-0000-0000-0000-000000000000)",
        "",
    ]


def test_inspect_shows_the_variables_with_nul_between_them(docker: Hosts) -> None:
    host = docker()
    host.run("python:3", "python3", "-c", "import time; time.sleep(100)", SECRET="a\nb")
    form = '{{range .Config.Env}}{{.}}{{printf "%c" 0}}{{end}}'
    *found, end = host.out("inspect", "--format", form, "one").split("\0")
    assert ("SECRET=a\nb" in found, end) == (True, "\n")


def test_a_stopped_container_finishes_its_streams(docker: Hosts) -> None:
    host = docker()
    host.run("servestack/numbered-streams")
    host.wait_for("/health")
    connection = http.client.HTTPConnection(ADDRESS, 8000, timeout=100)
    connection.request("GET", "/stream?lines=20&pause=0.05")
    stream = connection.getresponse()
    first = stream.readline()
    assert host.out("stop", "-t", "30", "one") == "one\n"
    assert [first, *stream.readlines()] == [b"%d\n" % number for number in range(1, 21)]
    connection.close()
    assert host.out("wait", "one") == "0\n"
    assert host.out("logs", "one") == "listening\nended\n"


def test_a_container_that_ignores_the_signal_is_killed(docker: Hosts) -> None:
    host = docker()
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(99)"
    )
    host.run("python:3", "python3", "-c", script)
    host.engine.container("one").stop(0.1)  # pyright: ignore[reportOptionalMemberAccess]
    assert host.out("wait", "one") == "137\n"


def test_a_closed_door_keeps_others_out_but_not_the_machine(docker: Hosts) -> None:
    host = docker()
    host.run("servestack/numbered-streams")
    host.wait_for("/health")
    host.door.touch()
    with pytest.raises((OSError, http.client.HTTPException)):
        host.ask("/health")
    assert host.ask("/health", port=INSIDE) == (200, b"ok")
    host.door.unlink()
    assert host.ask("/health") == (200, b"ok")


def test_a_container_that_does_not_start_ends_its_log_stream(docker: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[LogStream] = []
    monkeypatch.setattr(LogStream, "close", lambda stream: streams.append(stream))
    host = docker(logs=lambda _: mock.MagicMock(exceptions=SimpleNamespace(ResourceAlreadyExistsException=KeyError)))
    host.pull("python:3")
    driver = ("--log-driver", "awslogs", "--log-opt", "awslogs-region=r", "--log-opt", "awslogs-group=g")
    assert host("run", "--detach", *driver, "--entrypoint", "nothing", "python:3")[0] == 127
    host.engine.wait_logged()
    (stream,) = streams
    wait_until(lambda: not stream.sending, what="the end of the log stream")


def test_a_server_on_127_0_0_1_is_not_reached_before_the_machine_leads_there(docker: Hosts) -> None:
    host = docker()
    host.run("servestack/numbered-streams", "--host", "127.0.0.1")
    container = host.engine.container("one")
    assert container is not None
    with pytest.raises((OSError, http.client.HTTPException)):
        host.ask("/health")
    (container.folder / "local").touch()
    assert host.wait_for("/health") == b"ok"


def test_files_of_an_image_are_copied_out_of_a_container_that_never_runs(docker: Hosts) -> None:
    host = docker()
    host.pull("vllm/vllm-openai:v0.11.0")
    host.out("create", "--name", "files", "vllm/vllm-openai:v0.11.0", "true")
    assert host("cp", "files:/data/.", "-") == (
        1,
        "",
        "Error response from daemon: Could not find the file /data/. in container files\n",
    )
    host.out("cp", "--archive", "files:/etc/.", str(host.folder / "copied"))
    assert (host.folder / "copied/group").read_text() == "root:x:0:\nnogroup:x:65534:\n"
    assert host.out("rm", "--force", "--volumes", "files") == "files\n"


def test_an_attached_container_reads_and_writes_what_docker_itself_has(docker: Hosts) -> None:
    host = docker()
    host.pull("python:3")
    words = ("run", "--rm", "--interactive", "--log-driver", "none", "--pull", "never", "--user", "65534:65534")
    script = 'echo "$(id -u):$(id -g)"; pwd; echo ~; echo "$1"; exit 3'
    assert host(*words, "--workdir", "/srv", "--entrypoint", "sh", "python:3", "-s", "--", "x", input=script) == (
        3,
        "65534:65534\n/srv\n/\nx\n",
        "",
    )


def test_an_option_that_this_docker_does_not_know_is_refused(docker: Hosts) -> None:
    host = docker()
    assert host("run", "--restart", "always", "python:3") == (
        125,
        "",
        "docker: unknown flag: --restart\n\nRun 'docker run --help' for more information\n",
    )
    assert host("compose", "up") == (1, "", "docker: 'compose' is not a docker command of this cloud's machines\n")


def test_nvidia_smi_in_a_container_shows_the_gpus_of_the_instance_type(docker: Hosts) -> None:
    host = docker()
    query = "nvidia-smi --query-gpu=name,memory.total,utilization.gpu --format=csv"
    assert host.says(f"{query}; {query},noheader,nounits", options=("--gpus", "all")).splitlines() == [
        "name, memory.total [MiB], utilization.gpu [%]",
        "NVIDIA L4, 22888 MiB, 0 %",
        "NVIDIA L4, 22888, 0",
    ]
    assert host.says("nvidia-smi 2>&1 || echo none").splitlines()[-1] == "none"
