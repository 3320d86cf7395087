"""Deploys configurations in process, against the stand-in for AWS, with nothing of the Hub and no packages fetched."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from commands.in_process import Program
from commands.property_values import PropertyValue, SecretValue, without_secrets_marked
from infra.packaging import FunctionPackage
from infra.packaging.local_copy import stored
from infra.planning import ChatTemplate, ModelRepository, Tokens, unweighed
from infra.preflight import Clients
from infra.program import Means, deploy
from tests.aws.recording import Recording, attempt
from tests.aws.standin import Cloud

ROOT = Path(__file__).parents[2]
GATEWAY = "organization/servestack/gateway"
"""Full name of the gateway's stack."""
TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"
OFFERS_OF_24_GB = [
    "g6.xlarge", "g6.2xlarge", "g5.xlarge", "g5.2xlarge", "g6.4xlarge", "gr6.4xlarge", "g5.4xlarge", "g6.8xlarge",
    "gr6.8xlarge", "g5.8xlarge", "g6.16xlarge", "g5.16xlarge", "g6.12xlarge", "g5.12xlarge", "g6.24xlarge",
    "g5.24xlarge", "g6.48xlarge", "g5.48xlarge",
]  # fmt: skip
"""By price."""


def template_of(wanted: ModelRepository) -> ChatTemplate:
    """A chat template for any model, as the Hub would have it."""
    tokens = Tokens(eos="</s>", bos="<s>", others={}, ends=())
    return ChatTemplate(template="{{ messages }}", named={}, origin=wanted.repo, tokens=tokens, sha=None)


def package(folder: Path) -> FunctionPackage:
    """A zip that can start, and nothing in it."""
    path = folder / "gateway.zip"
    with zipfile.ZipFile(path, "w") as archive:
        script = zipfile.ZipInfo("run.sh")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, "#!/bin/sh\nexec true\n")
    return FunctionPackage(path=path, sha256="", size=path.stat().st_size, handler="run.sh")


def program(folder: Path, environment: Mapping[str, str] | None = None, *, clients: Clients | None = None) -> Program:
    """The program, as `__main__.py` runs it, with means of the tests' own."""
    means = Means(
        environment={} if environment is None else environment,
        resolve=template_of,
        weigh=unweighed,
        package=lambda: package(folder),
        store=lambda contents: stored(contents, folder / "stored"),
        **({} if clients is None else {"clients": lambda profile: clients}),
    )
    return lambda: pulumi.run(lambda: deploy(means))


_DEPLOYED: dict[str, Any] = {}
"""Records and outputs of gateways, by configuration."""


class Account:
    """One account in which stacks are deployed one after the other, and whose outputs refer to each other."""

    def __init__(self, folder: Path, cloud: Cloud | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.cloud = Cloud() if cloud is None else cloud
        self.outputs: dict[str, dict[str, PropertyValue]] = {}
        self._folder = folder
        self._environment = environment

    def up(self, stack: str, config: Mapping[str, object], **arguments: Any) -> Recording:
        """Deploy a stack; an AssertionError where anything was refused."""
        recording = self.attempt(stack, config, **arguments)
        if recording.errors:
            raise AssertionError("the program failed:\n" + "\n".join(recording.errors))
        return recording

    def attempt(
        self, stack: str, config: Mapping[str, object], *, clients: Clients | None = None, **arguments: Any
    ) -> Recording:
        """Deploy a stack, whatever comes of it. Without `clients` nothing is asked before."""
        recording = attempt(
            program(self._folder, self._environment, clients=clients),
            {**({} if clients else {"preflight": "false"}), **config},
            stack=stack,
            cloud=self.cloud,
            references=self.outputs,
            **arguments,
        )
        if not recording.errors and not arguments.get("preview"):
            self.outputs[f"organization/servestack/{stack}"] = recording.exports
        return recording

    def with_gateway(self, text: str) -> Account:
        """This account, with a gateway of this configuration in its stack `gateway`. Each text is deployed once and
        then copied: what the gateway's program does is not what is tested here."""
        if text not in _DEPLOYED:
            first = Account(self._folder)
            first.up("gateway", {"configuration": first.written("gateway.yml", text)})
            _DEPLOYED[text] = (first.cloud.records, first.outputs)
        records, outputs = copy.deepcopy(_DEPLOYED[text])
        self.cloud = Cloud(self.cloud.world, records)
        self.outputs |= outputs
        return self

    def written(self, name: str, text: str) -> str:
        """The path of a configuration with this text."""
        path = self._folder / name
        path.write_text(text)
        return str(path)


def plain(value: PropertyValue) -> Any:
    """A recorded value, its secrets in the open."""
    return without_secrets_marked(value)


def item(registration: Any) -> Any:
    """A table item's attributes, `record` read."""
    attributes = {
        name: next(iter(typed.values())) for name, typed in json.loads(plain(registration.inputs["item"])).items()
    }
    return {**attributes, **({"record": json.loads(attributes["record"])} if "record" in attributes else {})}


def tags_of_all(made: Recording) -> dict[str, str]:
    """The tags of everything that the one provider makes."""
    (provider,) = [one for one in made.run.registrations if one.type == "pulumi:providers:aws"]
    return json.loads(str(provider.inputs["defaultTags"]))["tags"]


def is_secret(value: PropertyValue) -> bool:
    return isinstance(value, SecretValue)
