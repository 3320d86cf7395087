"""The ways in which a boot can fail. The cause is the last line of the log and in the state item. A failure that
another try cannot solve stops the unit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from tests.boot.machine import INSTANCE, Machine

Boots = Callable[..., Machine]

GIVES_UP, TRIES_AGAIN = 78, 75
POLL = 5
OUTPUT = f"the container's output is in the log stream {INSTANCE}/container"
LOGIN = "registry_auth: {username: alice, password: hunter2}\n"
IMAGE = "registry.example.com/tgi:3"
DOCKER_HELP = "\n\nRun 'docker run --help' for more information"
"""The line that docker adds to every error of `run` (docker/cli, cli/command/container/run.go: `withHelp`)."""


def says(text: str, status: int = 1) -> str:
    """A program that writes `text` as an error."""
    return f"cat >&2 <<'END'\n{text}\nEND\nexit {status}"


def ends(status: int) -> str:
    return f"printf '{status}\\n'"


def wrote(text: str) -> dict[str, str]:
    """A container that ended with status 1 after it wrote `text`."""
    return {"docker-wait": ends(1), "docker-logs": f"cat <<'END'\nloading\n{text}\nmore\nEND"}


@pytest.mark.parametrize(
    ("answers", "lines", "cause"),
    [
        pytest.param(
            {"nvidia-smi": says("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9)},
            "",
            "the machine has no working GPU: nvidia-smi says: NVIDIA-SMI has failed because it couldn't "
            "communicate with the NVIDIA driver.",
            id="no driver",
        ),
        pytest.param(
            {"nvidia-smi": "printf 'No devices found.\\n'"},
            "",
            "the machine has no working GPU: nvidia-smi says: No devices found.",
            id="no GPU",
        ),
        pytest.param(
            {"docker-pull": says(f"Error response: manifest for {IMAGE} not found: manifest unknown")},
            "",
            f"the image {IMAGE} was not found: Error response: manifest for {IMAGE} not found: manifest unknown",
            id="image not found",
        ),
        pytest.param(
            {"docker-pull": says(f'failed to resolve reference "{IMAGE}": {IMAGE}: not found')},
            "",
            f'the image {IMAGE} was not found: failed to resolve reference "{IMAGE}": {IMAGE}: not found',
            id="image not found by containerd",
        ),
        pytest.param(
            {"docker-pull": says("Error response from daemon: pull access denied for a/b, repository does not exist")},
            "",
            f"the image {IMAGE} was not found, or it is private and needs registry_auth: "
            "Error response from daemon: pull access denied for a/b, repository does not exist",
            id="image private",
        ),
        pytest.param(
            {"docker-pull": says("registry: denied")},
            LOGIN,
            f"the image {IMAGE} was not found, or the user of registry_auth is not allowed to pull it: registry: "
            "denied",
            id="image not the user's",
        ),
        pytest.param(
            {"docker-login": says("WARNING\nError: unauthorized: incorrect username or password")},
            LOGIN,
            "the image registry registry.example.com refused the login of registry_auth: Error: unauthorized: "
            "incorrect "
            "username or password",
            id="login refused",
        ),
        pytest.param(
            {"docker-pull": says("no matching manifest for linux/amd64 in the manifest list entries")},
            "",
            f"the image {IMAGE} has no variant for linux/amd64",
            id="image of another platform",
        ),
        pytest.param(
            {"docker-pull": says("failed to register layer: write /usr/lib/x.so: no space left on device")},
            "",
            f"the disk is too small for the image {IMAGE}: request more under resources.disk",
            id="disk too small",
        ),
        pytest.param(
            {"docker-run": says('docker: could not select device driver "" with capabilities: [[gpu]].', 125)},
            "",
            'docker has no GPU for the container: docker: could not select device driver "" with capabilities: '
            '[[gpu]].',
            id="no container toolkit",
        ),
        pytest.param(
            {"docker-run": says("nvidia-container-cli: unsatisfied condition: cuda>=14.0", 125)},
            "",
            "the image needs a newer NVIDIA driver than this machine image has: use an image for an older CUDA "
            "version, or set the stack config ami to a newer machine image: nvidia-container-cli: unsatisfied "
            "condition: cuda>=14.0",
            id="driver too old",
        ),
        pytest.param(
            {"docker-run": says(f'exec: "nope": executable file not found in $PATH: unknown{DOCKER_HELP}', 127)},
            "",
            'the container\'s command cannot be run: exec: "nope": executable file not found in $PATH: unknown',
            id="no such command",
        ),
        pytest.param(
            {"docker-run": says(f"docker: unable to find user x: no matching entries in passwd file{DOCKER_HELP}")},
            "user: x\n",
            "the container's command cannot be run: docker: unable to find user x: no matching entries in passwd file",
            id="no such user",
        ),
        pytest.param(
            {"docker-run": says("docker: failed to inject devices: unresolvable CDI devices nvidia.com/gpu=all", 125)},
            "",
            "docker has no GPU for the container: docker: failed to inject devices: unresolvable CDI devices "
            "nvidia.com/gpu=all",
            id="no GPU by CDI",
        ),
        pytest.param(
            wrote("huggingface_hub.errors.GatedRepoError: 403 Client Error."),
            "",
            "the model is gated: accept its conditions on the Hub, and give the service a token of the same "
            f"account; {OUTPUT}",
            id="gated model",
        ),
        pytest.param(
            wrote("OSError: You are trying to access a gated repo."),
            "",
            "the model is gated: accept its conditions on the Hub, and give the service a token of the same "
            f"account; {OUTPUT}",
            id="gated model in transformers",
        ),
        *(
            pytest.param(
                wrote(line),
                "",
                f"out of GPU memory: request more under resources.gpu, or use a smaller or quantized model; {OUTPUT}",
                id=f"out of GPU memory: {line[:20]}",
            )
            for line in (
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
                "RuntimeError: Not enough memory to handle 4096 prefill tokens. You need to decrease",
                "ValueError: No available memory for the cache blocks.",
                "ValueError: Free memory on device cuda:0 (8.1/22.0 GiB) on startup is less than desired GPU memory "
                "utilization (0.9, 19.8 GiB).",
                "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
                "DriverError(CUDA_ERROR_OUT_OF_MEMORY, 'out of memory')",
            )
        ),
        pytest.param(
            wrote("RepositoryNotFoundError: 404 Client Error. Repository Not Found for url: https://huggingface.co/a/b"),
            "",
            f"the Hub has no such model, or the model is private and the service's token cannot read it; {OUTPUT}",
            id="model not found",
        ),
        pytest.param(
            wrote("Error: NotEnoughCUDADevices\nnot enough cuda devices: `sharded` is true but only found 1"),
            "",
            f"the container needs more GPUs than the machine has (1): request more under resources.gpu; {OUTPUT}",
            id="too few GPUs",
        ),
        pytest.param(
            wrote("ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0."),
            "",
            f"the image or the model needs another kind of GPU: name one under resources.gpu; {OUTPUT}",
            id="GPU too old",
        ),
        pytest.param(
            wrote("exec /usr/bin/tini: exec format error"),
            "",
            f"the image {IMAGE} is not for linux/amd64; {OUTPUT}",
            id="program of another platform",
        ),
        pytest.param(
            wrote("OSError: [Errno 28] No space left on device"),
            "",
            f"the disk is full: request more under resources.disk; {OUTPUT}",
            id="disk full",
        ),
        pytest.param(
            {"docker-wait": ends(127)},
            "",
            f"a program of the container's command was not found or cannot be run (status 127); {OUTPUT}",
            id="program not found",
        ),
    ],
)  # fmt: skip
def test_what_cannot_heal_stops_the_unit_and_is_said(
    machine: Boots, answers: Mapping[str, str], lines: str, cause: str
) -> None:
    boot = booted(machine, answers, lines)
    assert boot.run("serve") == GIVES_UP
    assert last_line(boot) == f"stopped, because another try cannot help: {cause}"
    assert failed_state(boot) == (cause, True)
    assert not (boot.file_system / "run/servestack/failures").exists()


@pytest.mark.parametrize(
    ("answers", "lines", "cause"),
    [
        pytest.param(
            {"docker-pull": says("toomanyrequests: You have reached your unauthenticated pull rate limit.")},
            "",
            "the image registry registry.example.com limits how often images are pulled: wait, add registry_auth with "
            "an account that has a higher limit, or copy the image to ECR: toomanyrequests: You have reached your "
            "unauthenticated pull rate limit.",
            id="pull limit",
        ),
        pytest.param(
            {"docker-pull": says("dial tcp: lookup registry.example.com: no such host")},
            "",
            f"the image {IMAGE} could not be pulled: dial tcp: lookup registry.example.com: no such host",
            id="registry out of reach",
        ),
        pytest.param(
            {"docker-pull": says("failed to copy: httpReadSeeker: failed open: unexpected status code 403 Forbidden")},
            "",
            f"the image {IMAGE} could not be fetched completely: failed to copy: httpReadSeeker: failed open: "
            "unexpected "
            "status code 403 Forbidden",
            id="layer not fetched",
        ),
        pytest.param(
            {"docker-login": says("net/http: request canceled while waiting for connection")},
            LOGIN,
            "docker could not log in to the image registry registry.example.com: net/http: request canceled while "
            "waiting for connection",
            id="login out of reach",
        ),
        pytest.param(
            {"aws-ssm-get-parameter": says("An error occurred (AccessDeniedException)", 254)},
            LOGIN,
            "the parameter /servestack/registry/run/registry-username:3 could not be read from SSM: "
            "An error occurred (AccessDeniedException)",
            id="password unreadable",
        ),
        pytest.param(
            {"aws-ssm-get-parameter": says("An error occurred (ParameterNotFound)", 254)},
            "env: [HF_TOKEN=hf_x]\n",
            "the parameter /servestack/registry/run/HF_TOKEN:3 could not be read from SSM: "
            "An error occurred (ParameterNotFound)",
            id="secret unreadable",
        ),
        pytest.param(
            {"aws-ssm-get-parameter": "printf 'base64:?\\n'"},
            "env: [HF_TOKEN=hf_x]\n",
            "the parameter /servestack/registry/run/HF_TOKEN:3 could not be read from SSM: base64: invalid input",
            id="secret garbled",
        ),
        pytest.param(
            {"docker-run": says("docker: Error response from daemon: awslogs: rate exceeded", 125)},
            "",
            "docker could not start the container: docker: Error response from daemon: awslogs: rate exceeded",
            id="docker refused",
        ),
        pytest.param(
            {"docker-wait": ends(1)}, "", f"the container ended with status 1 before it served; {OUTPUT}", id="ended"
        ),
        pytest.param(
            {"docker-wait": ends(0)}, "", f"the container ended with status 0 before it served; {OUTPUT}", id="done"
        ),
        pytest.param(
            {"docker-wait": ends(137)},
            "",
            "the container was killed (status 137), most likely because memory ran out: request more under "
            f"resources.memory; {OUTPUT}",
            id="killed",
        ),
        pytest.param(
            wrote("ERROR text_generation_launcher: Shard process was signaled to shutdown with signal 9 rank=0"),
            "",
            "a part of the container was killed, most likely because memory ran out: request more under "
            f"resources.memory; {OUTPUT}",
            id="shard killed",
        ),
        pytest.param(
            {
                "docker-run": says(
                    "docker: failed to connect to the docker API at unix:///var/run/docker.sock: dial unix "
                    f"/var/run/docker.sock: connect: no such file or directory{DOCKER_HELP}",
                    127,
                )
            },
            "",
            "docker could not start the container: docker: failed to connect to the docker API at "
            "unix:///var/run/docker.sock: dial unix /var/run/docker.sock: connect: no such file or directory",
            id="docker not listening",
        ),
        pytest.param(
            {"docker-wait": "exit 1"},
            "",
            f"the container ended with status unknown before it served; {OUTPUT}",
            id="docker died",
        ),
        pytest.param(
            {"systemctl": "exit 1", "journalctl": "printf 'Starting Docker\\nfailed to start daemon: no space\\n'"},
            "",
            "docker could not be started: Starting Docker; failed to start daemon: no space",
            id="docker not started",
        ),
        pytest.param({"systemctl": "exit 1"}, "", "docker could not be started: no message", id="docker silent"),
    ],
)
def test_what_may_heal_is_said_and_tried_again(
    machine: Boots, answers: Mapping[str, str], lines: str, cause: str
) -> None:
    boot = booted(machine, answers, lines)
    assert boot.run("serve") == TRIES_AGAIN
    assert last_line(boot) == f"failed, trying again in 10 s: {cause}"
    assert failed_state(boot) == (cause, False)


def test_each_failure_in_a_row_doubles_the_pause_up_to_five_minutes(machine: Boots) -> None:
    boot = booted(machine, {"docker-wait": ends(1)})
    for failures in (None, None, None, "4", "5", "60"):
        if failures is not None:
            (boot.file_system / "run/servestack/failures").write_text(failures)
        assert boot.run("serve") == TRIES_AGAIN
    said = [line.partition(":")[0] for line in lines_of(boot) if line.startswith("failed")]
    assert said == [f"failed, trying again in {pause} s" for pause in (10, 20, 40, 160, 300, 300)]
    slept = [int(call.arguments[0]) for call in boot.calls("sleep")]
    waited_out = [pause for pause in slept if pause != POLL]
    assert waited_out == [10, 20, 80, 160, 300], "the next start waits it out"


def test_a_container_that_ends_after_it_served_is_started_again_whatever_it_wrote(machine: Boots) -> None:
    boot = booted(machine, {"docker-logs": "printf 'CUDA out of memory\\n'", "curl-health": "printf 200"})
    (boot.file_system / "run/servestack").mkdir(parents=True)
    (boot.file_system / "run/servestack/failures").write_text("3")
    process = boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    boot.container_ends(1)
    assert process.wait() == TRIES_AGAIN
    cause = f"the container ended with status 1 after it had served; {OUTPUT}"
    assert last_line(boot) == f"failed, trying again in 10 s: {cause}", "serving forgets the failures before it"
    assert failed_state(boot) == (cause, False)
    assert steps(boot)[-1] == "container ended"


def test_a_port_that_never_opens_is_said_before_the_boot_timeout_and_still_waited_for(machine: Boots) -> None:
    boot = booted(machine, {}, boot_timeout=60)
    boot.clock_stops(after=45)
    process = boot.start("serve")
    cause = (
        "port 80 never opened: nothing in the container listens on it after 45 s; make the command listen on this "
        "port, on 0.0.0.0"
    )
    boot.wait_until(lambda: lines_of(boot)[-1:] == [f"still waiting: {cause}"])
    assert failed_state(boot) == (cause, False)
    assert steps(boot)[-2:] == ["waiting for port 80", "waiting for port 80"]
    boot.answer("curl-health", "printf 204")
    boot.clock_goes_on()
    boot.wait_until(lambda: steps(boot)[-1] == "serving")
    assert "cause" not in items(boot)[-1]
    assert process.poll() is None


def test_a_closed_port_is_said_in_the_time_that_pulling_has_left(machine: Boots) -> None:
    boot = booted(machine, {"docker-pull": 'printf "1700001400\n" >"$STUBS/clock"'})
    boot.start("serve")
    cause = "port 80 never opened: nothing in the container listens on it after 300 s"
    boot.wait_until(lambda: any(cause in line for line in lines_of(boot)))
    assert "machine ready" in steps(boot)


def test_a_log_stream_that_could_not_be_made_at_first_is_made_later(machine: Boots) -> None:
    denied = says("AccessDeniedException", 254)
    boot = booted(machine, {"docker-wait": ends(1)})
    boot.answer("aws-logs-create-log-stream", denied, call=1)
    boot.answer("aws-logs-put-log-events", denied, call=1)
    assert boot.run("serve") == TRIES_AGAIN
    keys = [call.key.removeprefix("aws-logs-") for call in boot.calls() if call.key.startswith("aws-logs-")]
    assert keys[:5] == ["create-log-stream", "put-log-events", "create-log-stream", "put-log-events", "put-log-events"]
    assert lines_of(boot)[:2] == ["machine ready", "machine ready"]
    assert "could not be written" not in boot.output


def test_a_health_check_that_stays_bad_is_said_with_its_answer(machine: Boots) -> None:
    boot = booted(
        machine, {"curl-health": "printf 503"}, "model: {name: m, chat_template: T, eos_token: E}\n", boot_timeout=60
    )
    boot.clock_stops(after=45)
    boot.start("serve")
    cause = "GET /health on port 80 answered 503 after 45 s"
    boot.wait_until(lambda: lines_of(boot)[-1:] == [f"still waiting: {cause}"])
    assert failed_state(boot) == (cause, False)
    assert "waiting for GET /health, which answers 503" in steps(boot)


def test_an_end_that_nothing_has_chosen_is_said_and_waited_out(machine: Boots) -> None:
    boot = booted(machine, {})
    (boot.file_system / "var/lib/servestack").touch()
    assert [boot.run("serve"), boot.run("serve")] == [TRIES_AGAIN, TRIES_AGAIN]
    cause = "the boot script ended with status 1 at the step: machine ready"
    assert last_line(boot) == f"failed, trying again in 20 s: {cause}"
    assert failed_state(boot) == (cause, False)
    assert boot.call("sleep").arguments == ("10",)


def test_without_the_metadata_service_the_unit_tries_again_with_growing_pauses(machine: Boots) -> None:
    boot = booted(machine, {"curl-token": "exit 22"})
    assert [boot.run("serve"), boot.run("serve")] == [TRIES_AGAIN, TRIES_AGAIN]
    assert [call.key for call in boot.calls() if call.key != "date"] == ["curl-token", "sleep", "curl-token"]
    assert "the instance metadata service does not answer" in boot.output


def test_a_boot_goes_on_where_neither_log_nor_state_can_be_written(machine: Boots) -> None:
    failing = says("Could not connect to the endpoint URL", 255)
    names = ("aws-logs-create-log-stream", "aws-logs-put-log-events", "aws-dynamodb-put-item")
    boot = booted(machine, {**dict.fromkeys(names, failing), "curl-health": "printf 200"})
    process = boot.start("serve")
    boot.wait_until(lambda: "servestack: serving\n" in boot.output)
    boot.container_ends(0)
    assert process.wait() == TRIES_AGAIN


def test_stopping_the_unit_stops_the_container_and_is_no_failure(machine: Boots) -> None:
    boot = booted(machine, {"curl-health": "printf 200"})
    process = boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    process.terminate()
    assert process.wait() == 0
    assert boot.call("docker-stop").arguments == ("stop", "-t", "60", "servestack")
    assert last_line(boot) == "stopped"


def test_stopping_the_unit_does_not_wait_for_a_pause_to_end(machine: Boots) -> None:
    boot = booted(machine, {"sleep": 'read -r _ <"$STUBS/ended"'})
    (boot.file_system / "run/servestack").mkdir(parents=True)
    (boot.file_system / "run/servestack/failures").write_text("9")
    process = boot.start("serve")
    boot.wait_until(lambda: boot.calls("sleep"))
    process.terminate()
    assert process.wait() == 0
    assert boot.call("sleep").arguments == ("300",)


def booted(machine: Boots, answers: Mapping[str, str], lines: str = "", *, boot_timeout: int = 1800) -> Machine:
    boot = machine(lines, boot_timeout=boot_timeout)
    for key, answer in answers.items():
        boot.answer(key, answer)
    return boot


def lines_of(boot: Machine) -> list[str]:
    """The messages in the machine's log."""
    events = [json.loads(call.arguments[-1]) for call in boot.calls("aws-logs-put-log-events")]
    return [event["message"] for (event,) in events]


def last_line(boot: Machine) -> str:
    written = lines_of(boot)[-1]
    assert boot.output.rstrip("\n").splitlines()[-1] == f"servestack: {written}"
    return written


def items(boot: Machine) -> list[dict[str, dict[str, object]]]:
    return [json.loads(call.arguments[-1]) for call in boot.calls("aws-dynamodb-put-item")]


def steps(boot: Machine) -> list[object]:
    return [item["step"]["S"] for item in items(boot)]


def failed_state(boot: Machine) -> tuple[object, object]:
    """Cause, and whether it is final, of the last state item."""
    item = items(boot)[-1]
    assert (item["pk"], item["sk"]) == ({"S": "state#run"}, {"S": INSTANCE})
    return item["cause"]["S"], item["final"]["BOOL"]
