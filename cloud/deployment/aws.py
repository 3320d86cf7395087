"""The resources of AWS. HashiCorp's provider makes them, from Pulumi's inputs, and the outputs are those of Pulumi.

Terraform's own state of a resource is kept among its outputs, as JSON under `__terraform`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from cloud.deployment import newer
from cloud.deployment.own_names import DEFAULTS, has_fixed_name, with_own_name
from cloud.deployment.package import Difference, Existing, Made, PartlyMade
from cloud.deployment.sent import FILES, terraform_config, with_timeouts
from cloud.deployment.terraform.client import Applied, Planned, Provider, Refusal
from cloud.deployment.terraform.outputs import outputs, results
from cloud.deployment.terraform.translation import camel, configuration, property_of, terraform_type
from cloud.deployment.terraform.values import Block, is_list, is_object
from commands.program_monitor import Refused
from commands.property_values import FileValue, SecretValue, without_secrets_marked

STATE = "__terraform"


class Turn:
    """The provider has one region and one set of default tags at a time. Resources that need others wait."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._free = threading.Condition()
        self._users = 0
        self._settings: tuple[str, Mapping[str, str]] | None = None

    @contextmanager
    def taken(self, region: str, tags: Mapping[str, str]) -> Generator[Provider]:
        """Yield the provider with these settings, for the time of the block."""
        with self._free:
            self._free.wait_for(lambda: self._users == 0 or self._settings == (region, tags))
            if self._settings != (region, tags):
                try:
                    self.provider.configure(region, tags)
                except RuntimeError as error:
                    raise Refused(str(error)) from error
                self._settings = (region, tags)
            self._users += 1
        try:
            yield self.provider
        finally:
            with self._free:
                self._users -= 1
                self._free.notify_all()


class Aws:
    """A `Package`: the resources of one region, with the default tags of one of the program's providers."""

    def __init__(self, turn: Turn, region: str, tags: Mapping[str, str]) -> None:
        self._turn = turn
        self._region = region
        self._tags = tags

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        newer.refuse_unknown(type, inputs)
        named = with_own_name(type, logical, inputs, old)
        with self._asked(type, named) as (provider, block):
            config = terraform_config(type, block, named, None, {})
            _refuse(provider.validate(terraform_type(type), config))
        return named

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        type = there.type
        before, after = self._region_of(there.outputs), self._region_of(inputs)
        with self._asked(type, there.outputs) as (provider, block):
            state, private = _kept(there)
            planned = provider.plan(
                terraform_type(type), terraform_config(type, block, inputs, state, {}), state, private
            )
        _refuse(planned.refusals)
        names = [name for name in (*block.attributes, *block.blocks) if _differs(block, name, state, planned)]
        both = {**there.inputs, **inputs}
        files = {hashed: name for name, (_, hashed) in FILES.items() if isinstance(both.get(name), FileValue)}
        changed = {name: files.get(name) or property_of(type, block, name, both) or camel(name) for name in names}
        replaced = {path.partition(".")[0] for path in planned.replacing}
        replacing = tuple(sorted(property for name, property in changed.items() if name in replaced))
        if before != after:
            replacing = (*replacing, "region")
        everything = sorted({*changed.values(), *newer.changed(type, there.inputs, inputs), *replacing})
        delete_first = bool(replacing) and has_fixed_name(type, there.inputs, inputs)
        return Difference(tuple(everything), replacing, delete_first)

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        with self._asked(type, inputs) as (provider, block):
            config = terraform_config(type, block, inputs, None, timeouts)
            planned = provider.plan(terraform_type(type), config)
            _refuse(planned.refusals)
            applied = provider.apply(terraform_type(type), config, None, planned.state, planned.private)
        if applied.state is None:
            _refuse(applied.refusals)
            raise Refused(f"the provider made no {type}, and says nothing of it")
        made = self._made(type, block, inputs, applied)
        if applied.refusals:
            raise PartlyMade("; ".join(map(str, applied.refusals)), made)
        return self._with_rest(type, inputs, made)

    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        type = there.type
        with self._asked(type, inputs) as (provider, block):
            state, private = _kept(there)
            config = terraform_config(type, block, inputs, state, timeouts)
            planned = provider.plan(terraform_type(type), config, state, private)
            _refuse(planned.refusals)
            applied = Applied(state, (), private)
            if planned.state != state:
                applied = provider.apply(terraform_type(type), config, state, planned.state, planned.private)
        _refuse(applied.refusals)
        return self._with_rest(type, inputs, self._made(type, block, inputs, applied))

    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None:
        with self._asked(there.type, there.outputs) as (provider, _):
            state, private = _kept(there)
            private = with_timeouts(private, timeouts)
            _refuse(provider.apply(terraform_type(there.type), None, state, None, private).refusals)

    def preview(self, type: str, inputs: Mapping[str, Any], there: Existing | None) -> dict[str, Any]:
        """Return the outputs of a resource that would be made, or that `there` would become. `UNKNOWN`: only a
        deployment can know it."""
        with self._asked(type, inputs) as (provider, block):
            state, private = (None, b"") if there is None else _kept(there)
            planned = provider.plan(
                terraform_type(type), terraform_config(type, block, inputs, state, {}), state, private
            )
            _refuse(planned.refusals)
            return self._outputs(type, block, inputs, planned.state)

    def read(self, there: Existing) -> Made | None:
        """Return the resource as it is now; `None`: it no longer exists."""
        with self._asked(there.type, there.outputs) as (provider, block):
            state, private = _kept(there)
            read = provider.read(terraform_type(there.type), state, private)
        _refuse(read.refusals)
        return None if read.state is None else self._made(there.type, block, there.inputs, read)

    def call(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a function of the provider."""
        given = {name: value for name, value in arguments.items() if name != "region"}
        region = self._region_of(arguments)
        with self._turn.taken(region, self._tags) as provider:
            name = terraform_type(token)
            block = provider.data_block(name)
            read = provider.read_data(name, configuration(token, block, given))
        _refuse(read.refusals)
        return {**results(token, block, read.state or {}), "region": region}

    def _region_of(self, properties: Mapping[str, Any]) -> str:
        """Return the region of a resource, which can name its own."""
        return str(properties.get("region") or self._region)

    @contextmanager
    def _asked(self, type: str, inputs: Mapping[str, Any]) -> Generator[tuple[Provider, Block]]:
        """Return the provider of the resource's region, and the schema of its type."""
        with self._turn.taken(self._region_of(inputs), self._tags) as provider:
            try:
                yield provider, provider.block(terraform_type(type))
            except LookupError as unknown:
                if unknown.__class__ is not LookupError:
                    raise
                raise Refused(str(unknown)) from unknown

    def _made(self, type: str, block: Block, inputs: Mapping[str, Any], applied: Applied) -> Made:
        state = dict(applied.state or {})
        kept = json.dumps({"state": state, "private": base64.b64encode(applied.private).decode()})
        return Made(str(state["id"]), {**self._outputs(type, block, inputs, state), STATE: SecretValue(kept)})

    def _outputs(self, type: str, block: Block, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        made = outputs(type, block, state)
        files = {name: value for name, value in inputs.items() if isinstance(value, FileValue)}
        own = {DEFAULTS: inputs[DEFAULTS]} if DEFAULTS in inputs else {}
        return {**made, **files, **newer.outputs(type, made, inputs, self._region_of(inputs)), **own}

    def _with_rest(self, type: str, inputs: Mapping[str, Any], made: Made) -> Made:
        try:
            newer.set_rest(type, inputs, self._region_of(inputs))
        except Exception as error:  # of boto3, whose errors have no common type
            raise PartlyMade(str(error), made) from error
        return made


def _kept(there: Existing) -> tuple[dict[str, Any], bytes]:
    """Return the state and the private data of a resource."""
    kept = json.loads(str(without_secrets_marked(there.outputs[STATE])))
    return kept["state"], base64.b64decode(kept["private"])


def _differs(block: Block, name: str, state: Mapping[str, Any], planned: Planned) -> bool:
    will_be: Mapping[str, Any] = planned.state or {}
    before, after = _whole(state.get(name)), _whole(will_be.get(name))
    if name == "timeouts" or before == after:
        return False
    if _is_set(block, name) and is_list(before) and is_list(after):
        return sorted(map(repr, before)) != sorted(map(repr, after))
    return True


def _whole(value: Any) -> Any:
    """A value without what is empty in its objects: the provider reads an empty list as none, and plans the list."""
    if is_list(value):
        return [_whole(one) for one in value]
    if is_object(value):
        return {name: _whole(one) for name, one in value.items() if one is not None and one != [] and one != {}}
    return value


def _is_set(block: Block, name: str) -> bool:
    if name in block.blocks:
        return block.blocks[name].nesting == "set"
    return block.attributes[name].type[0] == "set"


def _refuse(refusals: tuple[Refusal, ...]) -> None:
    if refusals:
        raise Refused("; ".join(map(str, refusals)))
