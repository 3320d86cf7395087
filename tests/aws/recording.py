"""Records what a Pulumi program does, in process, against the stand-in for AWS.

    recording = record(program, {"configuration": "examples/gateway.dstack.yml"}, stack="gateway")
    listener = recording.one("aws:lb/listener:Listener")
    assert listener.inputs["port"] == 80

`record` fails the test when the program or the stand-in refuses something; `attempt` hands the errors over instead.
Nothing of it is returned before every registration was answered and every `apply` has run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.in_process import Program, Run, StackConfig, run
from commands.program_monitor import STACK_REFERENCE, Call, Refused, Registration
from commands.property_values import (
    UNKNOWN,
    Properties,
    PropertyValue,
    SecretValue,
    holds,
    without_secrets_marked,
)
from infra.configuration.names import PROJECT
from tests.aws.planting import Planted, plant
from tests.aws.standin import Cloud, sdk
from tests.aws.standin.checking import DYNAMIC, known
from tests.aws.standin.outputs import digits_of
from tests.aws.standin.providers import PREFIX, default_tags, provider_region
from tests.aws.standin.records import Record
from tests.aws.steps import STASH, Step, Steps

Dynamic = Callable[[Registration], Mapping[str, PropertyValue]]
"""What a dynamic resource (the project's own code) would add to its inputs; that code is not run."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a program registered, exported, called, and what went wrong."""

    run: Run
    cloud: Cloud
    """The account as the program left it; hand it to the next `record` for another stack in the same account, or for
    the same stack once more."""
    steps: Mapping[str, Step]
    """By URN: what was done with each resource, those that the program no longer asks for among them."""
    kept: tuple[tuple[str, str], ...]
    """(URN, why) of what should have gone and did not."""

    @property
    def resources(self) -> tuple[Registration, ...]:
        """What providers make, providers themselves left out, in order."""
        return tuple(one for one in self.run.registrations if one.custom and not one.type.startswith(PREFIX))

    @property
    def components(self) -> tuple[Registration, ...]:
        return tuple(one for one in self.run.registrations if not one.custom)

    @property
    def exports(self) -> Properties:
        return self.run.exports

    @property
    def errors(self) -> tuple[str, ...]:
        return (*self.run.errors, *(f"{urn}: {why}" for urn, why in self.kept))

    def changes(self) -> Mapping[str, Step]:
        """What was done with each resource that is not as it was, by type and logical name: `Vpc network`."""
        return {_short(urn): step for urn, step in self.steps.items() if step != "same"}

    def of(self, type: str) -> tuple[Registration, ...]:
        return tuple(one for one in self.resources if one.type == type)

    def one(self, type: str, name: str | None = None) -> Registration:
        """The only resource of a type, or the one of that logical name."""
        found = [one for one in self.of(type) if name in (None, one.name)]
        if len(found) != 1:
            there = sorted(f"{one.type} {one.name}" for one in self.resources)
            raise LookupError(f"{len(found)} resources are {type} {name or ''}; there are:\n" + "\n".join(there))
        return found[0]

    def made(self, registration: Registration) -> Record:
        """What came of a registration: its id and all outputs."""
        return next(record for record in self.cloud.records.all if record.urn == registration.urn)

    def waits_for(self, registration: Registration) -> frozenset[str]:
        """URNs of everything that is there before `registration` is made, and gone after it is."""
        by_urn = {one.urn: one for one in self.run.registrations}
        waited: set[str] = set()
        open_urns = list(registration.dependencies)
        while open_urns:
            urn = open_urns.pop()
            if urn not in waited and urn in by_urn:
                waited.add(urn)
                open_urns += by_urn[urn].dependencies
        return frozenset(waited)

    def texts(self) -> Iterator[tuple[str, str]]:
        """(where, text) of every string that stands in clear in some input: what a secret must not be in."""
        for one in self.run.registrations:
            for name, value in one.inputs.items():
                for text in _in_clear(value):
                    yield f"{one.urn} {name}", text


def record(
    program: Program,
    config: StackConfig | None = None,
    *,
    stack: str,
    secrets: Mapping[str, object] | None = None,
    cloud: Cloud | None = None,
    references: Mapping[str, Mapping[str, PropertyValue]] | None = None,
    dynamic: Dynamic | None = None,
    planted: Planted | None = None,
    preview: bool = False,
    project: str = PROJECT,
) -> Recording:
    """Run `program` and hand over what it did; an AssertionError when anything went wrong. See `attempt`."""
    recording = attempt(
        program,
        config,
        stack=stack,
        secrets=secrets,
        cloud=cloud,
        references=references,
        dynamic=dynamic,
        planted=planted,
        preview=preview,
        project=project,
    )
    if recording.errors:
        raise AssertionError("the program failed:\n" + "\n".join((*recording.errors, recording.run.traceback)))
    return recording


def attempt(
    program: Program,
    config: StackConfig | None = None,
    *,
    stack: str,
    secrets: Mapping[str, object] | None = None,
    cloud: Cloud | None = None,
    references: Mapping[str, Mapping[str, PropertyValue]] | None = None,
    dynamic: Dynamic | None = None,
    planted: Planted | None = None,
    preview: bool = False,
    project: str = PROJECT,
) -> Recording:
    """Run `program` to its end, whatever it is.

    `config` and `secrets`: stack config, plain and encrypted, by key. `cloud`: the account (a fresh one). `references`:
    outputs of other stacks by the full name that a StackReference names, secret ones as `SecretValue`. `dynamic`: what
    dynamic resources answer. `planted`: one wrong value in what the program asks for. `preview`: what only a deployment
    finds out is unknown, and nothing is made.
    """
    sdk.import_all()
    account = Cloud() if cloud is None else cloud
    steps = Steps(account, stack, preview=preview)
    answers = _StandIn(account, steps, {} if references is None else references, dynamic, planted, preview=preview)
    hidden: Mapping[str, object] = {} if secrets is None else secrets
    done = run(
        program,
        answers,
        stack=stack,
        config={**({} if config is None else config), **hidden},
        secret_keys=frozenset(hidden),
        project=project,
        preview=preview,
    )
    kept = () if done.errors else tuple(steps.finish())
    return Recording(run=done, cloud=account, steps=dict(steps.taken), kept=kept)


class _StandIn:
    """`Cloud` as the answers that a run in process wants."""

    def __init__(
        self,
        cloud: Cloud,
        steps: Steps,
        references: Mapping[str, Mapping[str, PropertyValue]],
        dynamic: Dynamic | None,
        planted: Planted | None,
        *,
        preview: bool,
    ) -> None:
        self._cloud = cloud
        self._steps = steps
        self._references = references
        self._dynamic = dynamic
        self._planted = planted
        self._preview = preview
        self._regions: dict[str, str | None] = {}
        self._tags: dict[str, Mapping[str, str]] = {}

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        if registration.type.startswith(PREFIX):
            id = digits_of(registration.urn)[:12]
            settings, reference = _plain(registration.inputs), f"{registration.urn}::{id}"
            self._regions[reference] = provider_region(registration.type, settings)
            self._tags[reference] = default_tags(settings)
            return id, registration.inputs
        if registration.type == STASH:
            return self._steps.stash(registration)
        known(registration.type)
        asked = _plain(registration.inputs)
        if self._planted is not None and self._planted.resource == registration.name:
            asked = plant(asked, self._planted.path, self._planted.value)
        region = self._region_of(registration.type, registration.provider, asked.get("region"))
        tags = self._tags.get(registration.provider, {})
        id, state = self._steps.register(registration, asked, region, tags)
        return id, {**state, **self._of_dynamic(registration)}

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        if type != STACK_REFERENCE:
            raise Refused(f"the stand-in for AWS reads no {type}")
        if id not in self._references:
            raise Refused(f"unknown stack {id!r}")
        outputs = dict(self._references[id])
        secret = [key for key, value in outputs.items() if holds(value, SecretValue)]
        return {"name": id, "outputs": outputs, "secretOutputNames": list(secret)}

    def call(self, call: Call) -> Properties:
        arguments = _plain(call.arguments)
        region = arguments.pop("region", None) or self._region_of(call.token, call.provider, None)
        return self._cloud.call(call.token, arguments, region)

    def _region_of(self, type: str, provider: str, own: Any) -> str:
        if not type.startswith("aws:"):
            return "global"
        return self._cloud.region(own if isinstance(own, str) else self._regions.get(provider))

    def _of_dynamic(self, registration: Registration) -> Properties:
        if registration.type != DYNAMIC or self._dynamic is None:
            return {}
        return {key: UNKNOWN if self._preview else value for key, value in self._dynamic(registration).items()}


def _plain(properties: Properties) -> dict[str, Any]:
    return {key: without_secrets_marked(value) for key, value in properties.items()}


def _short(urn: str) -> str:
    types, _, name = urn.rpartition("::")
    return f"{types.rpartition(':')[2]} {name}"


def _in_clear(value: PropertyValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _in_clear(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _in_clear(item)
