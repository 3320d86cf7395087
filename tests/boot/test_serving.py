"""A boot that ends with a replica that serves: the programs that it starts, in which order, with which arguments."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.boot.machine import INSTANCE, RUNS, Machine

Boots = Callable[..., Machine]

AWS = ("--region", "eu-west-1", "--cli-connect-timeout", "5", "--cli-read-timeout", "20")
STREAM = ("--log-group-name", "/servestack/run", "--log-stream-name", f"{INSTANCE}/boot")
METADATA = "http://169.254.169.254/latest"

EVERYTHING = """
entrypoint: tini --
commands: ["echo 'it''s' \\"$HOME\\" %d\\n\\texit 1", é]
env: {HF_TOKEN: hf_secret, PLAIN: "1", PATH: /opt/x:/bin, DSTACK_GPUS_NUM: "3"}
working_dir: /work dir
user: nobody:100
privileged: true
volumes: ["/mnt/models:/data", {instance_path: "/a:b", path: /b}]
registry_auth: {username: $oauthtoken, password: "pass'word\\n"}
resources: {gpu: 24GB, shm_size: 1.5GB}
"""


def test_every_program_is_started_with_its_arguments_in_order(machine: Boots) -> None:
    boot = machine(EVERYTHING.replace("resources: {gpu: 24GB, shm_size: 1.5GB}\n", ""))
    boot.answer("nvidia-smi", "printf 'GPU 0: NVIDIA L4\\nGPU 1: NVIDIA L4\\n'")
    serves(boot)
    hub = f"{boot.file_system}/var/lib/servestack/hub"
    config = ("--config", f"{boot.file_system}/run/servestack/docker")
    image = "registry.example.com/tgi:3"
    started = [
        (call.key.partition("-")[0], call.arguments)
        for call in boot.calls()
        if call.key not in ("date", "sleep", "curl-health", "docker-wait")
    ]
    assert started == [
        ("curl", ("--silent", "--show-error", "--fail", "--retry", "10", "--retry-connrefused", "--max-time", "10",
                  "--request", "PUT", "--header", "X-aws-ec2-metadata-token-ttl-seconds: 300",
                  f"{METADATA}/api/token")),
        *(("curl", ("--silent", "--show-error", "--fail", "--retry", "10", "--max-time", "10", "--header",
                    "X-aws-ec2-metadata-token: the-token", f"{METADATA}/meta-data/{name}"))
          for name in ("instance-id", "instance-type")),
        ("aws", (*AWS, "logs", "create-log-stream", *STREAM)),
        *reported("machine ready"),
        ("mountpoint", ("-q", f"{boot.file_system}/opt/dlami/nvme")),
        ("lsblk", ("--nodeps", "--noheadings", "--paths", "--output", "NAME,MODEL")),
        ("systemctl", ("start", "docker.service")),
        ("nvidia", ("--list-gpus",)),
        *reported("GPUs found: 2"),
        ("docker", ("image", "inspect", image)),
        *reported("logging in to the image registry"),
        *read("registry-username", 4),
        *read("registry-password", 5),
        ("docker", (*config, "login", "--username", "$oauthtoken", "--password-stdin", "registry.example.com")),
        *reported("pulling image", 0),
        ("docker", (*config, "pull", image)),
        ("docker", ("create", "--name", "servestack-image", image, "true")),
        ("docker", ("cp", "servestack-image:/root/.cache/huggingface/.", "-")),
        ("docker", ("rm", "--force", "--volumes", "servestack-image")),
        ("docker", ("rm", "--force", "servestack")),
        *reported("starting container"),
        *read("HF_TOKEN", 3),
        ("docker", (
            "run", "--detach", "--name", "servestack", "--pull", "never", "--gpus", "all", "--publish", "8000:80",
            "--log-driver", "awslogs", "--log-opt", "awslogs-region=eu-west-1",
            "--log-opt", "awslogs-group=/servestack/run", "--log-opt", f"awslogs-stream={INSTANCE}/container",
            "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=16m",
            "--mount", f"type=bind,source={hub}/root/.cache/huggingface,target=/root/.cache/huggingface",
            "--env", "DSTACK_RUN_NAME", "--env", "DSTACK_NODE_RANK", "--env", "DSTACK_NODES_NUM",
            "--env", "DSTACK_MASTER_NODE_IP", "--env", "DSTACK_NODES_IPS",
            "--env", "DSTACK_WORKING_DIR", "--env", "PLAIN", "--env", "DSTACK_GPUS_NUM", "--env", "HF_TOKEN",
            "--env", "DSTACK_GPUS_PER_NODE=2", "--shm-size", "16384m",
            "--workdir", "/work dir", "--user", "nobody:100", "--privileged",
            "--mount", "type=bind,source=/mnt/models,target=/data", "--mount", "type=bind,source=/a:b,target=/b",
            "--entrypoint", "tini", "--env", "PATH=/opt/x:/bin", image,
            "--", "echo 'it's' \"$HOME\" %d\n\texit 1".replace("it's", "it''s"), "é",
        )),
        *reported("serving"),
    ]  # fmt: skip
    waits = [call.arguments for call in boot.calls("docker-wait")]
    assert waits == [("wait", "servestack")] * 2, "by what starts the container, then by what watches it"
    assert boot.call("docker-login").input == "pass'word\n"
    given = boot.call("docker-run").environment
    assert {name: given[name] for name in ("HF_TOKEN", "PLAIN", "DSTACK_GPUS_NUM", "DSTACK_WORKING_DIR")} == {
        "HF_TOKEN": b"hf_secret",
        "PLAIN": b"1",
        "DSTACK_GPUS_NUM": b"3",
        "DSTACK_WORKING_DIR": b"/work dir",
    }
    assert given["PATH"].startswith(f"{boot.root}/bin:".encode()), "docker is still found in the same folder"


def test_the_size_of_shared_memory_is_docker_s_option(machine: Boots) -> None:
    boot = machine(service="type: service\nimage: i\nport: 80\nresources: {gpu: 24GB, shm_size: 1.5GB}\n")
    serves(boot)
    arguments = boot.call("docker-run").arguments
    assert arguments[arguments.index("--shm-size") + 1] == "1536m"


@pytest.mark.parametrize(("gpus", "given"), [(1, False), (2, True), (8, True)])
def test_a_machine_with_several_gpus_gives_the_container_more_shared_memory(
    machine: Boots, gpus: int, given: bool
) -> None:
    boot = machine()
    boot.answer("nvidia-smi", f"for gpu in {{1..{gpus}}}; do echo GPU $gpu: NVIDIA L4; done")
    serves(boot)
    arguments = boot.call("docker-run").arguments
    assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "--shm-size"] == ["16384m"] * given


def test_the_size_of_shared_memory_is_the_configuration_s_on_a_machine_with_several_gpus(machine: Boots) -> None:
    boot = machine(service="type: service\nimage: i\nport: 80\nresources: {gpu: 24GB, shm_size: 1.5GB}\n")
    boot.answer("nvidia-smi", "printf 'GPU 0: NVIDIA L4\\nGPU 1: NVIDIA L4\\n'")
    serves(boot)
    arguments = boot.call("docker-run").arguments
    assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "--shm-size"] == ["1536m"]


def test_an_image_s_own_command_is_left_to_it(machine: Boots) -> None:
    boot = machine()
    serves(boot)
    arguments = boot.call("docker-run").arguments
    assert arguments[-1] == "registry.example.com/tgi:3"
    assert "--entrypoint" not in arguments


def test_docker_hub_is_logged_in_to_without_a_name(machine: Boots) -> None:
    boot = machine(
        "registry_auth: {username: u, password: p}\n",
        service="type: service\nimage: library/nginx:1\nport: 80\nresources: {gpu: 24GB}\n",
    )
    serves(boot)
    assert boot.call("docker-login").arguments[2:] == ("login", "--username", "u", "--password-stdin")


def test_an_image_that_is_there_is_neither_logged_in_for_nor_pulled(machine: Boots) -> None:
    boot = machine("registry_auth: {username: u, password: p}\n")
    boot.answer("docker-image", "printf '[]\\n'")
    serves(boot)
    assert not boot.calls("docker-login", "docker-pull", "aws-ssm-get-parameter")


def test_the_password_leaves_no_file_behind(machine: Boots) -> None:
    boot = machine("registry_auth: {username: u, password: p}\n")
    boot.answer("docker-login", 'mkdir -p "$2"; printf credentials >"$2/config.json"')
    serves(boot)
    assert not (boot.file_system / "run/servestack/docker").exists()


def test_pulling_is_told_in_steps_of_ten_percent(machine: Boots) -> None:
    boot = machine()
    layers = [f"layer{number}" for number in range(4)]
    lines = ["3: Pulling from tgi", "gone: Already exists", *(f"{layer}: Pulling fs layer" for layer in layers)]
    lines += ["layer0: Waiting", *(f"{layer}: Download complete" for layer in layers)]
    lines += [f"{layer}: Pull complete" for layer in layers] + ["Digest: sha256:0", "Status: Downloaded newer image"]
    boot.answer("docker-pull", "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines))
    serves(boot)
    percents = [item["percent"]["N"] for item in items(boot) if item["step"] == {"S": "pulling image"}]
    assert percents == ["0", "12", "25", "37", "50", "62", "75", "87", "100"]


def test_pulling_into_containerd_s_store_counts_layers_alone(machine: Boots) -> None:
    boot = machine()
    layers = ["layer0", "layer1"]
    lines = ["3: Pulling from tgi", *(f"{layer}: Pulling fs layer" for layer in layers)]
    lines += ["index0: Download complete", "manifest: Download complete", "config00: Download complete"]
    lines += ["layer0: Already exists", "layer0: Pull complete", "layer1: Download complete"] * 2
    lines += ["layer1: Pull complete", "Digest: sha256:0", "Status: Downloaded newer image"]
    boot.answer("docker-pull", "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines))
    serves(boot)
    percents = [item["percent"]["N"] for item in items(boot) if item["step"] == {"S": "pulling image"}]
    assert percents == ["0", "25", "50", "75", "100"]


def test_weights_that_arrive_are_told_while_the_port_is_closed(machine: Boots) -> None:
    boot = machine()
    boot.answer("du", "printf '0\\t/hub\\n'", call=1)
    boot.answer("du", "printf '102\\t/hub\\n'", call=2)
    boot.answer("du", "printf '2560\\t/hub\\n'", call=3)
    boot.answer("du", "printf '14848\\t/hub\\n'; exit 1")
    boot.clock_stops(after=90)
    process = boot.start("serve")
    boot.wait_until(lambda: "waiting for port 80, 14.5 GB of weights on disk" in steps(boot))
    boot.answer("curl-health", "printf 200")
    boot.clock_goes_on()
    boot.wait_until(lambda: "serving" in steps(boot))
    assert steps(boot)[-4:] == [
        "waiting for port 80",
        "waiting for port 80, 2.5 GB of weights on disk",
        "waiting for port 80, 14.5 GB of weights on disk",
        "serving",
    ]
    assert process.poll() is None


def test_the_health_check_is_asked_of_the_container_as_the_load_balancer_will(machine: Boots) -> None:
    boot = machine("probes: [{type: http, url: '/ready?a=[1]', timeout: 7s, interval: 9s}]\n")
    boot.answer("curl-health", "printf 302", call=1)
    serves(boot)
    asked = [call.arguments for call in boot.calls("curl-health")]
    assert asked == [
        ("--silent", "--globoff", "--path-as-is", "--output", "/dev/null", "--max-time", "7", "--write-out",
         "%{http_code}", "http://127.0.0.1:8000/ready?a=[1]")
    ] * 2  # fmt: skip


def test_a_folder_of_the_machine_is_made_and_a_file_is_left(machine: Boots) -> None:
    boot = machine("volumes: ['/srv/models:/models', '/var/run/docker.sock:/var/run/docker.sock']\n")
    socket = boot.file_system / "var/run/docker.sock"
    socket.parent.mkdir(parents=True)
    socket.touch()
    serves(boot)
    assert (boot.file_system / "srv/models").is_dir()
    assert (boot.file_system / "srv/models").stat().st_mode & 0o7777 == 0o777, "the container can run as any user"
    assert socket.is_file()


def test_a_folder_that_exists_keeps_its_permissions(machine: Boots) -> None:
    boot = machine("volumes: ['/srv/models:/models']\n")
    (boot.file_system / "srv/models").mkdir(parents=True, mode=0o750)
    serves(boot)
    assert (boot.file_system / "srv/models").stat().st_mode & 0o7777 == 0o750


def test_commands_have_a_terminal(machine: Boots) -> None:
    boot = machine("commands: [ollama serve &, fg]\n")
    serves(boot)
    arguments = boot.call("docker-run").arguments
    assert arguments[arguments.index("--tty") :] == (
        "--tty", "--entrypoint", "/bin/sh", "registry.example.com/tgi:3", "-i", "-c", "{ ollama serve & } && fg",
    )  # fmt: skip


def test_state_items_expire_two_hours_after_they_were_written(machine: Boots) -> None:
    boot = machine()
    serves(boot)
    for item in items(boot):
        assert (item["pk"], item["sk"], item["final"]) == ({"S": "state#run"}, {"S": INSTANCE}, {"BOOL": False})
        assert int(item["ttl"]["N"]) == int(item["at"]["N"]) + 7200


def serves(boot: Machine) -> None:
    """Boot until the replica serves, and leave it running."""
    boot.answer("curl-health", f"{RUNS}; printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    boot.wait_until(lambda: len(boot.calls("docker-wait")) == 2)


def steps(boot: Machine) -> list[str]:
    return [item["step"]["S"] for item in items(boot)]


def items(boot: Machine) -> list[dict[str, dict[str, str]]]:
    return [json.loads(call.arguments[-1]) for call in boot.calls("aws-dynamodb-put-item")]


def reported(step: str, percent: int | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """The calls that report a step, at the first second of the clock."""
    text = step if percent is None else f"{step} {percent} %"
    events = f'[{{"timestamp": 1700000000000, "message": "{text}"}}]'
    item = f'{{"pk": {{"S": "state#run"}}, "sk": {{"S": "{INSTANCE}"}}, "step": {{"S": "{step}"}}, '
    item += '"at": {"N": "1700000000"}, "ttl": {"N": "1700007200"}, "final": {"BOOL": false}'
    item += "}" if percent is None else f', "percent": {{"N": "{percent}"}}}}'
    return [
        ("aws", (*AWS, "logs", "put-log-events", *STREAM, "--log-events", events)),
        ("aws", (*AWS, "dynamodb", "put-item", "--table-name", "registry", "--item", item)),
    ]


def read(name: str, version: int) -> list[tuple[str, tuple[str, ...]]]:
    selector = f"/servestack/registry/run/{name}:{version}"
    query = ("--with-decryption", "--query", "Parameter.Value", "--output", "text")
    return [("aws", (*AWS, "ssm", "get-parameter", "--name", selector, *query))]
