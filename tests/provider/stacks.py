"""The stacks whose resources the provider judges: the examples, and stacks at the edges of what can be configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.configuration import load
from tests.aws.recording import Recording
from tests.aws.standin import Cloud, ExistingImage, World
from tests.components.conftest import GATEWAY
from tests.components.deploying import TOKEN, Account
from tests.components.test_existing_network import MAIN, SUBNETS, VPC, endpoint, existing
from tests.support.examples import EXAMPLES, GATEWAYS, SERVICES, name_of

WITH_DOMAIN = f"{GATEWAY}domain: example.com\n"
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
TGI = (
    "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.7\nport: 80\n"
    "model: {type: chat, name: m, format: tgi, chat_template: '{{ messages }}', eos_token: '</s>'}\n"
    "resources: {gpu: 24GB}\n"
)
BASE = (
    "type: service\nport: 80\npython: 3.12\nnvcc: true\ncommands: [x]\nenv: {A: '${{ secrets.token }}'}\n"
    "resources: {gpu: 24GB}\nstrip_prefix: false\n"
)
UNUSED = "utilization_policy: {min_gpu_utilization: 10, time_window: 1h}\n"
RESERVED = "reservation: cr-0123456789abcdef0\ninstance_types: [g6.xlarge]\navailability_zones: [us-east-1a]\n"
GROUPS = "type: service\nimage: nginx\nport: 80\nreplicas:\n- {count: 1, resources: {gpu: 24GB}}\n"
SCALED_GROUP = f"- {{name: {'g' * 40}, count: 0..4, scaling: {{metric: rps, target: 2.5}}, resources: {{gpu: 48GB}}}}\n"
RESERVED_GROUP = "- {count: 2, reservation: cr-0123456789abcdef0, resources: {gpu: L4}}\ninstance_types: [g6.xlarge]\n"
FILES = f"files: ['{EXAMPLES}/files/app:/srv/app']\nrepos: ['https://git.example.com/org/app']\n"
SCALED = "replicas: 0..4\nscaling: {metric: rps, target: 2.5}\n"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"
IMAGE = ExistingImage(id="ami-0123456789abcdef0")
EDGES = 28
"""The fewest stacks beside the examples."""


@dataclass(frozen=True)
class Stack:
    """A configuration and its stack config."""

    name: str
    text: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    secrets: Mapping[str, Any] = field(default_factory=dict[str, Any])
    gateway: str = WITH_DOMAIN
    """The configuration of the gateway that a service is behind."""
    world: World = field(default_factory=World)
    run: str = "run"
    """The name of the stack."""
    preview: bool = False
    file: Path | None = None
    """Where `text` is, if it names files beside it."""


def examples() -> Iterator[Stack]:
    for file in GATEWAYS:
        yield Stack(name_of(file), file.read_text(), run="gateway")
    for file in SERVICES:
        secrets = {"env": {"HF_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN}}
        yield Stack(name_of(file), file.read_text(), secrets=secrets, run=load(file).name or "yellow-cat-1", file=file)


def edges() -> Iterator[Stack]:
    yield from _gateways()
    yield from _services()


def record(stack: Stack, folder: Path) -> Recording:
    """Deploy it, against the stand-in."""
    account = Account(folder, Cloud(stack.world))
    if "type: service" in stack.text:
        account.with_gateway(stack.gateway)
    path = str(stack.file or account.written("serve.yml", stack.text))
    config = {"configuration": path, **stack.config}
    return account.up(stack.run, config, secrets=stack.secrets, preview=stack.preview)


def _gateways() -> Iterator[Stack]:
    def gateway(name: str, text: str = WITH_DOMAIN, *, world: World | None = None, **config: Any) -> Stack:
        return Stack(name, text, config, world=world or World(), run="gateway")

    certificate = f"{WITH_DOMAIN}certificate: {{type: acm, arn: '{CERTIFICATE}'}}\n"
    far = "type: gateway\nname: g--1\nbackend: aws\nregion: eu-west-1\ntags: {Name: x, team: research}\n"
    options = '{"alice": {"runs": ["a"], "requests_per_minute": 60}, "alice@2": {}, "bob": {}}'
    yield gateway("a gateway with audit logs", audit="true")
    yield gateway("a gateway in an existing network", world=existing(), vpc_id=VPC, subnet_ids=",".join(SUBNETS))
    lacking = existing(endpoints=(endpoint("dynamodb", MAIN),))
    yield gateway("a gateway with an endpoint of others", world=lacking, vpc_id=VPC, subnet_ids=",".join(SUBNETS))
    yield gateway("a gateway with a certificate", certificate, world=World(certificates=(CERTIFICATE,)))
    yield gateway("a gateway with the longest name", f"{GATEWAY}name: {'n' * 41}\n", audit="true")
    yield gateway("a gateway in another region", far)
    yield gateway("a gateway without keys", keys="[]", auth="false", protect="false")
    yield gateway("a gateway with options", keys=options, memory_size="1769", reserved_concurrency="900")
    yield gateway("a gateway that tells an address", alarm_email="ops@example.com", budget="100")
    yield gateway("a gateway that tells a topic", alarm_topic=_TOPIC)
    yield gateway("a gateway in an account of others", world=World(api_gateway_role=True), **_OTHERS)
    yield Stack("a gateway at preview", WITH_DOMAIN, {"audit": "true"}, run="gateway", preview=True)


_TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
_OTHERS = {"manage_api_gateway_account": "false", "allowed_origins": "none"}


def _services() -> Iterator[Stack]:
    def service(name: str, text: str, **given: Any) -> Stack:
        return Stack(f"a service {name}", text, **given)

    secret = {"env": {"TOKEN": TOKEN, "OTHER": "a\nb 'c' \"d\" $e"}}
    yield service("on spot instances", f"{WEB}spot_policy: spot\nmax_price: 1.23456789\n")
    yield service("on both kinds of instances", f"{WEB}spot_policy: auto\nreplicas: 2..4\n{SCALED.split(chr(10))[1]}\n")
    yield service("that can have no replica", f"{WEB}{SCALED}")
    yield service("without replicas", f"{WEB}replicas: 0\n")
    yield service("that is not waited for", WEB, config={"wait": "false"})
    yield service("without a domain", TGI, gateway=GATEWAY)
    yield service("in one zone", f"{WEB}availability_zones: [us-east-1b]\n")
    yield service("with a login", f"{WEB}registry_auth: {{username: alice, password: p4ssw0rd}}\n")
    yield service("with secrets", TGI, secrets=secret)
    yield service("with tags", f"{WEB}tags: {{team: research, Name: web}}\n")
    yield service("with the longest name", WEB, run="r" * 41)
    yield service("with the shortest name", WEB, run="sg-1")
    yield service("with a probe", f'{WEB}probes: [{{type: http, url: "/ok?x=%20", interval: 180s, ready_after: 10}}]\n')
    yield service("with a large disk", WEB.replace("{gpu: 24GB}", "{gpu: 24GB, disk: 16TB}"))
    yield service("with eight GPUs", WEB.replace("24GB", "80GB:8"))
    yield service("of any GPU", WEB.replace("24GB", "1.."))
    yield service("on one instance type", f"{WEB}instance_types: [g6.xlarge]\n", config={"boot_timeout": "24h"})
    yield service("with an image of its own", WEB, config={"ami": IMAGE.id}, world=World(images=(IMAGE,)))
    yield service("with a model of several runs", TGI, config={"weight": "3", "on_failure": "keep"})
    yield service("that tells an address", TGI, config={"alarm_email": "ops@example.com", "budget": "1000"})
    yield service("that sleeps and tells a topic", f"{TGI}{SCALED}", config={"alarm_topic": _TOPIC, "budget": "50.5"})
    yield service("that scales slowly", f"{WEB}replicas: 1..100\nscaling: {_SLOWLY}\n")
    yield service("in the base image", BASE, secrets={"secrets": {"token": TOKEN}}, config={"base_image": "a.b/base:1"})
    yield service("with a schedule", f"{WEB}schedule: {{cron: ['0 8 * * mon-fri', '*/30 1-3 1 * *']}}\n")
    yield service("with a schedule that ends", f"{WEB}{SCALED}schedule: {{cron: '30 22 * * *'}}\nmax_duration: 10h\n")
    yield service("in a reservation", f"{WEB}{RESERVED}stop_duration: 1h\nretry: true\n{UNUSED}")
    yield service("in a Capacity Block", f"{WEB}{RESERVED}", config={"capacity_block": "true"})
    yield service("with replica groups", f"{GROUPS}{SCALED_GROUP}", config={"alarm_topic": _TOPIC, "budget": "50.5"})
    yield service("with groups in reservations", f"{GROUPS}{RESERVED_GROUP}availability_zones: [us-east-1a]\n")
    yield service("with files", f"{WEB}{FILES}", secrets={"git_token": TOKEN})
    yield service("at preview", f"{TGI}{SCALED}", secrets=secret, preview=True)


_SLOWLY = "{metric: rps, target: 0.001, window: 300s, scale_up_delay: 1h, scale_down_delay: 1h}"
