"""Where each key of a service and each word of its stack config ends: a surprising value of each, all at once. A key
that is read and leads nowhere would be accepted and ignored; a new one is missed here by name."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path
from typing import Any

from infra.configuration import (
    ModelConfiguration,
    Resources,
    ServiceConfiguration,
    ServiceSettings,
)
from tests.aws.recording import Recording
from tests.aws.standin import Cloud, ExistingImage, World
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account, item, plain, tags_of_all

TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
PARAMETER = "aws:ssm/parameter:Parameter"
PINNED = ExistingImage(id="ami-0123456789abcdef0")
DIGEST = "sha256:" + "0a" * 32
SERVICE = f"""
type: service
name: sg-9--x
image: GHCR.io:443/a_b/c__d.e-f:V1.0-x@{DIGEST}
entrypoint: tini -- 'a b'
commands: ['echo "é" $X', 'sleep 1 & ']
env: ["A=x=%s $HOME ''\\"", B, 'LD_PRELOAD=/l i b', "E="]
port: "9999:8081"
model:
  type: chat
  name: a/b é
  format: tgi
  chat_template: "{{{{ messages }}}}"
  chat_templates: {{tool_use: "{{{{ tools }}}}"}}
  eos_token: </s>
  bos_token: <s>
  special_tokens: {{pad_token: <p>, others: [a, b]}}
  hub_repo: org/repo
  revision: v2
  stop_strings: [STOP]
  strip_bos: never
  limits: {{max_stop_sequences: 9, max_top_n_tokens: 0, max_total_tokens: 77, max_input: 55}}
  default_max_tokens: 123
  clamp_max_tokens: true
  max_n: 3
  unsupported_params: drop
  tools: off
  json_object: reject
  vision: true
  image_hosts: [images.example.com]
  prefill: new_turn
  control_tokens_in_input: strip
  adapter_id: lora
  upstream_api_key: ${{{{ env.B }}}}-2
auth: false
gateway: other
resources:
  cpu: 48..
  memory: ..400GB
  shm_size: 1.5GB
  gpu: {{vendor: nvidia, name: [l4, A10G], memory: 24GB, count: 4.., total_memory: ..96GB, compute_capability: 8.6}}
  disk: 217.5GB..
replicas: 2..5
scaling: {{metric: rps, target: 0.15, window: 300s, scale_up_delay: 77, scale_down_delay: 7m}}
probes: [{{type: http, url: "/ok?x=%20", timeout: 33, interval: 20, ready_after: 3}}]
rate_limits: [{{prefix: /x, rps: 0.5, burst: 9, key: {{type: header, header: X-Y}}}}]
registry_auth: {{username: u$ser, password: "p'w$d{{{{ }}}}"}}
privileged: true
working_dir: /a b/c$d
user: "1000:44"
volumes: ["/in st,:/root", {{instance_path: "/c:d", path: /e, optional: true}}]
regions: [eu-west-1, us-east-1]
availability_zones: [us-east-1b, us-east-1z]
instance_types: [g5.12xlarge, g6.12xlarge, g6.xlarge]
spot_policy: auto
max_price: 5.6721
stop_duration: 7m
utilization_policy: {{min_gpu_utilization: 7, time_window: 15m}}
retry: {{on_events: [no-capacity, interruption, error], duration: 2h}}
tags: {{Name: x, cost-center: 7.5}}
"""
WITHOUT_IMAGE = """
type: service
name: base
python: 3.10
nvcc: true
shell: /usr/bin/zsh
commands: ['x ${{ env.P }} $A']
env: {A: 'hf_${{ secrets.s }}', P: plain}
port: 8000
gateway: other
strip_prefix: false
reservation: cr-0123456789abcdef0
instance_types: [g6.xlarge]
availability_zones: [us-east-1b]
replicas: 2..5
scaling: {metric: rps, target: 1}
schedule: {cron: ['30 20 * * fri,sat', '0 0 1 jan *']}
"""
ENDS = WITHOUT_IMAGE.replace("name: base", "name: ends").replace(", '0 0 1 jan *'", "") + "max_duration: 10h\n"
GROUPED = "type: service\nname: of\nimage: nginx\nport: 80\ngateway: other\ngroups: [{name: part, replicas: 3}]\n"
DOCKER = "type: service\nname: dind\ndocker: true\ncommands: [docker ps]\nport: 80\ngateway: other\n"
LAID = (
    "type: service\nname: laid\nimage: nginx\nport: 80\ngateway: other\n"
    "files: ['serve.yml:~/x', {local_path: ., path: y}]\n"
    "repos: [{url: 'https://git.example.com:8443/o/r.git', branch: b, hash: "
    + "0a" * 20
    + ", path: z, if_exists: skip}]\n"
)
TESTED_ELSEWHERE = {"type", "backends", "regions", "configuration", "preflight", "alarm_email"}
"""What makes nothing, and decides what is refused: test_refusals. Whom alarms tell: test_alarms."""


def test_every_key_of_a_service_ends_where_it_is_meant(tmp_path: Path) -> None:
    account = _account(tmp_path)
    made = account.up("run", {"configuration": account.written("serve.yml", SERVICE)})
    secrets = {"secrets": {"s": "s3cret"}}
    base = account.up("base", {"configuration": account.written("base.yml", WITHOUT_IMAGE)}, secrets=secrets)
    ending = account.up("ends", {"configuration": account.written("ends.yml", ENDS)}, secrets=secrets)
    dind = account.up("dind", {"configuration": account.written("dind.yml", DOCKER)})
    laid = account.up("laid", {"configuration": account.written("laid.yml", LAID)})
    grouped = account.up("of", {"configuration": account.written("of.yml", GROUPED)})
    record = item(made.one("aws:dynamodb/tableItem:TableItem", "sg-9--x-run"))["record"]
    boot, group = _Boot(made), _group(made)
    waits = made.one("pulumi-python:dynamic:Resource", "sg-9--x-readiness").inputs
    ends: dict[str, Any] = {
        "name": (record["run"], made.exports["url"]),
        "image": boot["IMAGE"],
        "entrypoint, commands": boot["ARGUMENTS"],
        "env": [word for word in boot["VARIABLES"] if not word.startswith("DSTACK_")],
        "port": boot["CONTAINER_PORT"],
        "model": record["model"],
        "auth": record["auth"],
        "gateway": [call.arguments["name"] for call in made.run.calls if call.token.endswith("readStackOutputs")],
        "resources, instance_types": made.exports["instance_types"],
        "resources.disk": _template(made)["blockDeviceMappings"][0]["ebs"]["volumeSize"],
        "entrypoint, resources.shm_size, working_dir, user, privileged, volumes, env": boot["RUN_OPTIONS"],
        "volumes": (boot["INSTANCE_PATHS"], boot["HUB_CACHE_PATHS"]),
        "replicas": (group["minSize"], group["maxSize"], record["min_replicas"]),
        "groups": (grouped.one("aws:autoscaling/group:Group").name, *_sizes(grouped)[:2]),
        "scaling": _scaling(made),
        "probes": made.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"],
        "rate_limits": record["rate_limits"],
        "registry_auth, env": {key: value for key, value in _parameters(made).items() if key != "group-name"},
        "availability_zones": len(group["vpcZoneIdentifiers"]),
        "spot_policy, max_price": group["mixedInstancesPolicy"]["instancesDistribution"],
        "tags": {name: value for name, value in tags_of_all(made).items() if not name.startswith("servestack:")},
        "stop_duration": made.one("aws:lb/targetGroup:TargetGroup").inputs["deregistrationDelay"],
        "retry": waits["capacity_timeout"],
        "utilization_policy": (boot["LEAST_UTILIZATION"], boot["UTILIZATION_WINDOW"], _parameters(made)["group-name"]),
        "nvcc": _Boot(base)["IMAGE"],
        "shell": _Boot(base)["RUN_OPTIONS"],
        "python, commands, env": _Boot(base)["ARGUMENTS"],
        "env (secrets)": _parameters(base),
        "docker": (_Boot(dind)["IMAGE"], _Boot(dind)["RUN_OPTIONS"], _Boot(dind)["ARGUMENTS"]),
        "files": [entry.partition(" ")[2] for entry in _laying(laid)["FILES"]],
        "repos": _laying(laid)["REPOSITORY"],
        "strip_prefix": item(base.one("aws:dynamodb/tableItem:TableItem", "base-run"))["record"]["strip_prefix"],
        "reservation": (_reserved(base), _group(base).get("mixedInstancesPolicy")),
        "schedule": (_sizes(base), _scheduled(base)),
        "schedule, max_duration": (_sizes(ending), _scheduled(ending)),
    }
    assert ends == {
        "name": ("sg-9--x", "https://sg-9--x.example.com"),
        "image": [f"GHCR.io:443/a_b/c__d.e-f:V1.0-x@{DIGEST}"],
        "entrypoint, commands": ["--", "a b", 'echo "é" $X', "sleep 1 & "],
        "env": ["A=x=%s $HOME ''\"", "E="],
        "port": ["8081"],
        "model": {
            "name": "a/b é",
            "prefix": "/v1",
            "chat_template": "{{ messages }}",
            "chat_templates": {"tool_use": "{{ tools }}"},
            "eos_token": "</s>",
            "bos_token": "<s>",
            "special_tokens": {"pad_token": "<p>", "others": ["a", "b"]},
            "hub_repo": "org/repo",
            "revision": "v2",
            "stop_strings": ["STOP"],
            "strip_bos": "never",
            "limits": {"max_stop_sequences": 9, "max_top_n_tokens": 0, "max_total_tokens": 77, "max_input": 55},
            "default_max_tokens": 123,
            "clamp_max_tokens": True,
            "max_n": 3,
            "unsupported_params": "drop",
            "tools": "off",
            "json_object": "reject",
            "vision": True,
            "image_hosts": ["images.example.com"],
            "prefill": "new_turn",
            "control_tokens_in_input": "strip",
            "adapter_id": "lora",
            "upstream_api_key": "s3cret-2",
        },
        "auth": False,
        "gateway": ["organization/servestack/other"],
        "resources, instance_types": "g6.12xlarge, g5.12xlarge",
        "resources.disk": 218,
        "entrypoint, resources.shm_size, working_dir, user, privileged, volumes, env": [
            *("--shm-size", "1536m", "--workdir", "/a b/c$d", "--user", "1000:44", "--privileged"),
            *("--mount", 'type=bind,"source=/in st,",target=/root', "--mount", "type=bind,source=/c:d,target=/e"),
            *("--entrypoint", "tini", "--env", "LD_PRELOAD=/l i b"),
        ],
        "volumes": (["/in st,", "/c:d"], ["/data"]),
        "replicas": (2, 5, 2),
        "groups": ("of-part-replicas", 3, 3),
        "scaling": {"target": 9, "up": 77, "down": 420, "minutes": 7},
        "probes": {
            "enabled": True,
            "protocol": "HTTP",
            "port": "traffic-port",
            "path": "/ok?x=%20",
            "matcher": "200-299",
            "interval": 34,
            "timeout": 33,
            "healthyThreshold": 3,
            "unhealthyThreshold": 3,
        },
        "rate_limits": [{"prefix": "/x", "header": "X-Y", "rps": 0.5, "burst": 9}],
        "registry_auth, env": {
            "B": "s3cret",
            "registry-username": "u$ser",
            "registry-password": "base64:cCd3JGR7eyB9fQ==",
        },
        "availability_zones": 1,
        "spot_policy, max_price": {
            "onDemandAllocationStrategy": "prioritized",
            "spotAllocationStrategy": "price-capacity-optimized",
            "onDemandBaseCapacity": 2,
            "onDemandPercentageAboveBaseCapacity": 0,
            "spotMaxPrice": "5.6721",
        },
        "tags": {"Name": "x", "cost-center": "7.5"},
        "stop_duration": 420,
        "retry": 7200,
        "utilization_policy": (["7"], ["900"], made.made(made.one("aws:autoscaling/group:Group")).outputs["name"]),
        "nvcc": ["dstackai/base:0.16-devel-ubuntu24.04"],
        "shell": ["--tty", "--entrypoint", "/usr/bin/zsh"],
        "python, commands, env": [
            "-i",
            "-c",
            "export DSTACK_VENV_DIR=/dstack/venv"
            " && sudo install --directory --owner $(id -u) --group $(id -g) $DSTACK_VENV_DIR"
            " && { UV_PYTHON_INSTALL_DIR=/opt/uv/python uv venv --quiet --seed --prompt dstack --python 3.10"
            " $DSTACK_VENV_DIR --no-python-downloads 2>/dev/null"
            " || uv venv --quiet --seed --prompt dstack --python 3.10 $DSTACK_VENV_DIR; }"
            " && . $DSTACK_VENV_DIR/bin/activate && x plain $A",
        ],
        "env (secrets)": {"A": "hf_s3cret"},
        "docker": (
            ["dstackai/dind"],
            ["--privileged", "--tty", "--entrypoint", "/bin/bash"],
            ["-i", "-c", "start-dockerd && docker ps"],
        ),
        "files": ["~/x", "y"],
        "repos": ["https://git.example.com:8443/o/r.git", "b", "0a" * 20, "z", "skip", ""],
        "strip_prefix": False,
        "reservation": (("g6.xlarge", "cr-0123456789abcdef0", None), None),
        "schedule": (
            (0, 0, ["minSize", "maxSize"]),
            {"start-0": ("30 20 * * 5,6", 2, 5, -1), "start-1": ("0 0 1 1 *", 2, 5, -1)},
        ),
        "schedule, max_duration": (
            (0, 0, ["minSize", "maxSize"]),
            {"start-0": ("30 20 * * 5,6", 2, 5, -1), "end-0": ("30 6 * * 0,6", 0, 0, 0)},
        ),
    }
    named = {name.partition(".")[0].partition(" ")[0] for names in ends for name in names.split(", ")}
    assert named == ServiceConfiguration.model_fields.keys() - TESTED_ELSEWHERE, "each key ends somewhere"
    assert set(ends["model"]) == ModelConfiguration.model_fields.keys() - {"type", "format"}
    assert Resources.model_fields.keys() == {"cpu", "memory", "shm_size", "gpu", "disk"}


def test_every_word_of_a_service_s_stack_config_wins_and_ends_where_it_is_meant(tmp_path: Path) -> None:
    account = _account(tmp_path)
    words = {
        "configuration": account.written("serve.yml", SERVICE.replace("gateway: other", "gateway: none")),
        "gateway": "organization/servestack/other",
        "gpu": "L40S,A10G:4",
        "cpu": "48",
        "memory": "100GB..",
        "disk": "333",
        "auth": "true",
        "spot_policy": "spot",
        "max_price": "10.5",
        "regions": "us-east-1, eu-west-1",
        "instance_types": "g5.12xlarge ,g6e.12xlarge,g6.12xlarge",
        "availability_zones": '["us-east-1c"]',
        "ami": PINNED.id,
        "boot_timeout": "61m",
        "on_failure": "keep",
        "wait": "true",
        "weight": "3",
        "alarm_topic": TOPIC,
        "budget": "7300",
    }
    made = account.up("run", words, secrets={"env": {"A": "other", "C": "new"}})
    group, waits = _group(made), made.one("pulumi-python:dynamic:Resource", "sg-9--x-readiness").inputs
    claim = made.one("pulumi-python:dynamic:Resource", "sg-9--x-model").inputs
    record = item(made.one("aws:dynamodb/tableItem:TableItem", "sg-9--x-run"))["record"]
    base_words = {
        "configuration": account.written("base.yml", WITHOUT_IMAGE),
        "base_image": "a.b/c:1",
        "capacity_block": "true",
    }
    base = account.up("base", base_words, secrets={"secrets": {"s": "s3cret"}})
    (tmp_path / "serve.yml").touch()
    laid = account.up("laid", {"configuration": account.written("laid.yml", LAID)}, secrets={"git_token": "t0ken"})
    ends: dict[str, Any] = {
        "base_image": _Boot(base)["IMAGE"],
        "capacity_block": _reserved(base)[2],
        "secrets": _parameters(base),
        "git_token": (_parameters(laid), len(_Boot(laid)["GIT_TOKEN_PARAMETERS"])),
        "gateway": [call.arguments["name"] for call in made.run.calls if call.token.endswith("readStackOutputs")],
        "gpu, cpu, memory, instance_types": made.exports["instance_types"],
        "disk": _template(made)["blockDeviceMappings"][0]["ebs"]["volumeSize"],
        "env": {name: value for name, value in _parameters(made).items() if "-" not in name},
        "auth": record.get("auth"),
        "spot_policy, max_price": group["mixedInstancesPolicy"]["instancesDistribution"],
        "availability_zones": len(group["vpcZoneIdentifiers"]),
        "ami": _template(made)["imageId"],
        "boot_timeout": (
            group["instanceRefresh"]["preferences"]["instanceWarmup"],
            _Boot(made)["BOOT_TIMEOUT"],
            waits["boot_timeout"],
        ),
        "on_failure, wait": waits["on_failure"],
        "weight": (record["weight"], claim["shared"]),
        "alarm_topic": made.one("aws:cloudwatch/metricAlarm:MetricAlarm", "sg-9--x-slow").inputs["alarmActions"],
        "budget": made.one("aws:cloudwatch/metricAlarm:MetricAlarm", "sg-9--x-budget").inputs["threshold"],
    }
    assert ends == {
        "base_image": ["a.b/c:1-devel-ubuntu24.04"],
        "capacity_block": "capacity-block",
        "secrets": {"A": "hf_s3cret"},
        "git_token": ({"git-token": "t0ken"}, 1),
        "gateway": ["organization/servestack/other"],
        "gpu, cpu, memory, instance_types": "g5.12xlarge, g6e.12xlarge",
        "disk": 333,
        "env": {"A": "other", "B": "s3cret", "C": "new"},
        "auth": None,
        "spot_policy, max_price": {
            "onDemandAllocationStrategy": "prioritized",
            "spotAllocationStrategy": "price-capacity-optimized",
            "onDemandBaseCapacity": 0,
            "onDemandPercentageAboveBaseCapacity": 0,
            "spotMaxPrice": "10.5",
        },
        "availability_zones": 1,
        "ami": PINNED.id,
        "boot_timeout": ("3960", ["3660"], 3660),
        "on_failure, wait": "keep",
        "weight": (3, True),
        "alarm_topic": [TOPIC],
        "budget": 240,
    }
    named = {name for names in ends for name in names.split(", ")}
    assert named == ServiceSettings.model_fields.keys() - TESTED_ELSEWHERE, "each word ends somewhere"


class _Boot:
    """The constants of a replica's boot script, as bash reads them. `script`: another script."""

    def __init__(self, made: Recording, script: str | None = None) -> None:
        script = script or gzip.decompress(base64.b64decode(plain(_template(made)["userData"]))).decode()
        self._lines = {line.partition("=")[0]: line for line in script.splitlines() if "=" in line}

    def __getitem__(self, name: str) -> list[str]:
        print_it = f'{self._lines[name]}\nprintf "%s\\0" "${{{name}[@]}}"'
        printed = subprocess.run(["bash", "-euc", print_it], capture_output=True, check=True).stdout
        return printed.decode().split("\0")[:-1]


def _laying(made: Recording) -> _Boot:
    """The constants of the script that a replica fetches."""
    (name,) = _Boot(made)["LAYING"]
    stored = {one.inputs["key"]: one.inputs["source"] for one in made.of("aws:s3/bucketObjectv2:BucketObjectv2")}
    return _Boot(made, Path(stored[f"runs/laid/{name}"].path).read_text())


def _account(folder: Path) -> Account:
    """An account with a machine image of its own, whose gateway is the stack `other`, and a shell in which B is set."""
    account = Account(folder, environment={"B": "s3cret"}).with_gateway(f"{GATEWAY}domain: example.com\n")
    account.cloud = Cloud(World(images=(PINNED,)), account.cloud.records)
    account.outputs["organization/servestack/other"] = account.outputs.pop("organization/servestack/gateway")
    return account


def _group(made: Recording) -> Any:
    return made.one("aws:autoscaling/group:Group").inputs


def _template(made: Recording) -> Any:
    return made.one("aws:ec2/launchTemplate:LaunchTemplate").inputs


def _parameters(made: Recording) -> dict[str, str]:
    return {one.inputs["name"].rpartition("/")[2]: plain(one.inputs["value"]) for one in made.of(PARAMETER)}


def _scaling(made: Recording) -> dict[str, Any]:
    add, remove = (made.one("aws:autoscaling/policy:Policy", f"sg-9--x-{name}").inputs for name in ("add", "remove"))
    return {
        "target": add["targetTrackingConfiguration"]["targetValue"],
        "up": add["estimatedInstanceWarmup"],
        "down": remove["cooldown"],
        "minutes": made.one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs["evaluationPeriods"],
    }


def _reserved(made: Recording) -> tuple[Any, Any, Any]:
    template = _template(made)
    reservation = template["capacityReservationSpecification"]["capacityReservationTarget"]["capacityReservationId"]
    return template["instanceType"], reservation, template.get("instanceMarketOptions", {}).get("marketType")


def _sizes(made: Recording) -> tuple[Any, Any, Any]:
    group = made.one("aws:autoscaling/group:Group")
    return group.inputs["minSize"], group.inputs["maxSize"], list(group.ignore_changes)


def _scheduled(made: Recording) -> dict[str, tuple[Any, ...]]:
    names = ("recurrence", "minSize", "maxSize", "desiredCapacity")
    made_of = [one.inputs for one in made.of("aws:autoscaling/schedule:Schedule")]
    return {one["scheduledActionName"]: tuple(one[name] for name in names) for one in made_of}
