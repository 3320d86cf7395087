"""The real program as a Pulumi project for the real engine: its stacks, in an account of its own, without a network.

Everything is the repository's own but for two things that would need the internet: the packages of the function's zip
are one wheel that lies in a folder, and the AWS that dynamic resources ask is `tests.engine.asked`.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from pulumi import automation

from tests.aws.standin import World
from tests.aws.standin.records import Record
from tests.engine.asked import Asked
from tests.engine.deployment import ROOT, Deployment

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"
PROJECT = "organization/servestack"

GATEWAY = "type: gateway\nname: gateway\nbackend: aws\nregion: us-east-1\ndomain: example.com\n"
GATEWAY_WITHOUT_DOMAIN = "type: gateway\nbackend: aws\nregion: eu-central-1\n"
MODEL = """type: service
image: ghcr.io/huggingface/text-generation-inference:3.3.7
env:
  - MODEL_ID=some/model
  - HUGGING_FACE_HUB_TOKEN
port: 80
commands:
  - text-generation-launcher --port 80
model:
  name: some/model
  format: tgi
  chat_template: "{{ messages }}"
  eos_token: "</s>"
resources:
  gpu: 24GB
replicas: 1..2
scaling:
  metric: rps
  target: 4
"""
WEB = "type: service\nimage: traefik/whoami:v1.11\nport: 80\nauth: false\nresources: {gpu: 16GB}\n"


class Stacks:
    """The program's project, and what was done with its stacks."""

    def __init__(
        self, folder: Path, *, world: World | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "configurations").mkdir()
        self.asked = Asked(lambda: self.deployment.account())
        packages = _wheel(folder / "packages")
        self.deployment = Deployment(
            ROOT,
            _made(folder / "deployment"),
            world=world,
            environment={
                "AWS_ENDPOINT_URL": self.asked.url,
                "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "not a secret",
                "PIP_FIND_LINKS": str(packages.parent),
                "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
                "PIP_NO_INDEX": "1",
                **(environment or {}),
            },
        )
        project = folder / "deployment" / "project"
        (project / "gateway_lambda").unlink()
        # As it is now, whoever edits it meanwhile. Other processes may write into __pycache__ at the same time.
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "gateway_lambda", project / "gateway_lambda", ignore=compiled)
        requirements = project / "requirements-lambda.txt"
        requirements.unlink()
        requirements.write_text(f"first==1.0 \\\n    --hash=sha256:{sha256(packages.read_bytes()).hexdigest()}\n")

    def close(self) -> None:
        self.deployment.close()
        self.asked.close()

    def stack(
        self,
        name: str,
        configuration: str,
        config: Mapping[str, object] | None = None,
        secrets: Mapping[str, object] | None = None,
    ) -> automation.Stack:
        """A stack with this configuration, its text, and this stack config besides. Nothing asks AWS questions before
        a deployment: there is none."""
        path = self._folder / "configurations" / f"{name}.dstack.yml"
        path.write_text(configuration)
        return self.deployment.stack(
            name, {"configuration": str(path), "preflight": "false", **({} if config is None else config)}, secrets
        )

    def gateway(self, configuration: str = GATEWAY, /, **config: object) -> automation.Stack:
        """The gateway's stack; it may be destroyed unless something else is asked for."""
        return self.stack("gateway", configuration, {"protect": "false", **config})

    def there(self, stack: str) -> list[str]:
        """What a stack has in the account: logical names."""
        return sorted(_name(record.urn) for record in self._of(stack))

    def one(self, stack: str, type: str, name: str) -> Record:
        """The stack's resource of a type (its last part, `TargetGroup`) and logical name, as it is in the account."""
        (found,) = [one for one in self._of(stack) if (one.type.rpartition(":")[2], _name(one.urn)) == (type, name)]
        return found

    def events(self, since: int = 0) -> list[tuple[str, str]]:
        """What happened in the account, in order: (`create`, `TargetGroup whoami-replicas`)."""
        return [(event, _short(urn)) for event, urn in self.deployment.account().records.history[since:]]

    def happened(self) -> int:
        """How many events there were so far."""
        return len(self.deployment.account().records.history)

    def _of(self, stack: str) -> list[Record]:
        start = f"urn:pulumi:{stack}::"
        return [record for record in self.deployment.account().records.all if record.urn.startswith(start)]


def changes(result: automation.UpResult | automation.DestroyResult) -> dict[str, int]:
    """How many resources were created, updated, replaced and deleted; none, where all are as they were."""
    return {kind: count for kind, count in (result.summary.resource_changes or {}).items() if kind != "same"}


def in_order(events: list[tuple[str, str]], *wanted: tuple[str, str]) -> bool:
    """Whether all of these happened, one after the other."""
    places = [events.index(one) if one in events else -1 for one in wanted]
    return -1 not in places and places == sorted(places)


def _short(urn: str) -> str:
    return f"{urn.rpartition('::')[0].rpartition(':')[2]} {_name(urn)}"


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _wheel(folder: Path) -> Path:
    """A package with one empty module, for pip."""
    path = _made(folder) / "first-1.0-py3-none-any.whl"
    info = "first-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first/__init__.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: first\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
