"""The stand-in for AWS and its Pulumi provider: check, compare, create, update, delete, call.

It needs no engine. The recording monitor (`tests.aws.recording`) asks it in process, the plugin of `tests.engine` asks
it for the real engine. What it refuses is raised as `NotAccepted`, every problem of a resource together.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import botocore.session

from commands.property_values import UNKNOWN, UnknownValue, holds
from tests.aws.standin import functions, outputs, sdk
from tests.aws.standin.between import doubled, held, missing
from tests.aws.standin.checking import DYNAMIC, check, check_tags
from tests.aws.standin.differences import DEFAULTS, Difference, difference
from tests.aws.standin.problem import NotAccepted, refuse
from tests.aws.standin.records import Record, Records
from tests.aws.standin.tables import types
from tests.aws.standin.together import account, api, balancing, logging
from tests.aws.standin.together.regions import elsewhere
from tests.aws.standin.world import World

_QUESTIONS = (account.QUESTIONS, api.QUESTIONS, balancing.QUESTIONS, logging.QUESTIONS)
ALL_TAGS = "tagsAll"
_RULE = "aws:lb/listenerRule:ListenerRule"


class Cloud:
    """An account, what was in it before (`world`), and what has been made in it (`records`)."""

    def __init__(self, world: World | None = None, records: Records | None = None) -> None:
        self.world = World() if world is None else world
        self.records = Records() if records is None else records

    def checked(
        self,
        type: str,
        urn: str,
        inputs: Mapping[str, Any],
        old: Mapping[str, Any] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The inputs, with a name if they have none, and with all tags; refused where they are wrong by themselves.

        `old`: the inputs of the resource that is there. It keeps the name that it was given. `tags`: the provider's
        default tags. As in Pulumi's provider, they are an input, `tagsAll`, so that a change of them is an update.
        """
        named = dict(inputs)
        named.pop(DEFAULTS, None)
        named.pop(ALL_TAGS, None)
        known = types().get(type)
        if known and known.named and known.named not in named and f"{known.named}Prefix" not in named:
            named[known.named] = self._name(type, urn, old)
            named[DEFAULTS] = [known.named]
        given = {key: value for key, value in named.items() if key != DEFAULTS}
        check(type, given)
        if known and sdk.is_taggable(type) and (all_tags := _merged(tags or {}, given.get("tags", {}))):
            check_tags(all_tags)
            named[ALL_TAGS] = all_tags
        return named

    def create(self, type: str, urn: str, inputs: Mapping[str, Any], region: str) -> Record:
        """Make it; refused where AWS would refuse it beside what there is. `inputs` are checked ones."""
        given = {key: value for key, value in inputs.items() if key != DEFAULTS}
        number = self.records.made.get(urn, 0)
        seed = f"{urn} {number}"
        complete = _named_by_prefix(type, given, seed)
        self._refuse_beside_others(type, complete, region)
        id, state = self._outputs(type, complete, seed, region)
        record = Record(type, id, urn, region, seed, dict(given), state, list(inputs.get(DEFAULTS, ())))
        self.records.all.append(record)
        self.records.made[urn] = number + 1
        self._note("create", urn)
        self._after(record)
        return record

    def preview(
        self, type: str, inputs: Mapping[str, Any], *, known: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The outputs of what would be made (or changed, when `known` are its outputs now) without making it."""
        given = {key: value for key, value in inputs.items() if key != DEFAULTS}
        if known is not None:
            changing = {"latestVersion", "version"} & known.keys()
            return {**known, **dict.fromkeys(changing, UNKNOWN), **given}
        return given if type == DYNAMIC else outputs.unknown_until_made(type, given)

    def difference(self, type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
        return difference(type, old, new)

    def update(self, type: str, id: str, inputs: Mapping[str, Any]) -> Record:
        record = self.read(type, id)
        given = {key: value for key, value in inputs.items() if key != DEFAULTS}
        problems = [
            *missing(self.records, self.world, type, given, record.region),
            *elsewhere(type, given, record.region),
            *doubled(self.records, type, given, record.region, but=record.id),
        ]
        if problems:
            raise NotAccepted(problems)
        changed = difference(type, record.inputs, given).changed
        before = record.outputs
        complete = _named_by_prefix(type, given, record.seed)
        record.id, record.outputs = self._outputs(type, complete, record.seed, record.region)
        for name in ("latestVersion", "version"):
            if isinstance(before.get(name), int):
                record.outputs[name] = before[name] + (1 if set(changed) - {"tags", ALL_TAGS} else 0)
        for name in ("status", "priority"):
            if name in before and name not in given:
                record.outputs[name] = before[name]
        record.inputs = dict(given)
        self._note("update", record.urn)
        self._after(record)
        return record

    def delete(self, type: str, id: str) -> None:
        """Let it go; refused while something holds it. What is gone already is none of the provider's concern."""
        record = self.records.by_id(type, id)
        if record is None:
            return
        self.records.all.remove(record)
        if problems := list(held(self.records, record)):
            self.records.all.append(record)
            raise NotAccepted(problems)
        self._note("delete", record.urn)
        if type == "aws:lb/listener:Listener":
            gone = [rule for rule in self.records.of(_RULE) if rule.outputs["listenerArn"] == id]
            self.records.all = [one for one in self.records.all if one not in gone]

    def read(self, type: str, id: str) -> Record:
        if (record := self.records.by_id(type, id)) is None:
            raise refuse(f"{type} {id} does not exist")
        return record

    def call(self, token: str, arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
        return functions.call(self.records, self.world, token, arguments, region)

    def region(self, of_provider: str | None) -> str:
        """The region of a provider: the one it names, else the default one; refused where there is neither."""
        region = of_provider or self.world.region
        if region is None:
            raise refuse("Missing region configuration: no explicit provider, and no aws:region")
        if region not in _regions():
            raise refuse(f"invalid AWS Region: {region}")
        return region

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self.records)))

    @classmethod
    def load(cls, path: Path, world: World | None = None) -> Cloud:
        """The account whose records `save` wrote at `path`; an empty one where there is no such file."""
        if not path.exists():
            return cls(world)
        read = json.loads(path.read_text())
        return cls(world, Records([Record(**one) for one in read["all"]], read["made"], read["history"]))

    def _name(self, type: str, urn: str, old: Mapping[str, Any] | None) -> str:
        named = types()[type].named
        if old is not None and named in old.get(DEFAULTS, ()):
            return old[named]
        logical = urn.rpartition("::")[2]
        name = outputs.own_name(type, logical, f"{urn} {self.records.made.get(urn, 0)}")
        if name is None:
            most = types()[type].longest
            reason = f"name '{logical}-' plus 7 random chars is longer than maximum length {most}"
            raise refuse(f"could not make instance of '{type}': {reason}", named)
        return name

    def _refuse_beside_others(self, type: str, given: Mapping[str, Any], region: str) -> None:
        if unknown := sorted(name for name, value in given.items() if holds(value, UnknownValue)):
            raise refuse(f"values are not known: {', '.join(unknown)}")
        problems = list(missing(self.records, self.world, type, given, region))
        if not problems:
            problems += elsewhere(type, given, region)
            problems += doubled(self.records, type, given, region)
            for question in (one for questions in _QUESTIONS for one in questions.get(type, ())):
                problems += question(self.records, self.world, given, region)
        if problems:
            raise NotAccepted(problems)

    def _outputs(self, type: str, given: Mapping[str, Any], seed: str, region: str) -> tuple[str, dict[str, Any]]:
        if type == DYNAMIC:
            return outputs.digits_of(seed)[:20], dict(given)
        if type == "aws:dynamodb/tableItem:TableItem":
            return account.item_id(given), {**given, "region": region}
        return outputs.computed(type, given, seed, region, self.world.account)

    def _after(self, record: Record) -> None:
        """What a creation does to others, and what depends on them."""
        if record.type == "aws:acm/certificateValidation:CertificateValidation":
            certificate = self.records.find("aws:acm/certificate:Certificate", "arn", record.inputs["certificateArn"])
            if certificate is not None:
                certificate.outputs["status"] = "ISSUED"
        if record.type == _RULE and "priority" not in record.outputs:
            listener = record.outputs["listenerArn"]
            others = [one for one in self.records.of(_RULE) if one.outputs["listenerArn"] == listener]
            record.outputs["priority"] = max((one.outputs.get("priority", 0) for one in others), default=0) + 1

    def _note(self, event: str, urn: str) -> None:
        self.records.history.append([event, urn])


def _merged(default: Mapping[str, str], own: Any) -> Any:
    """All tags of a resource; its own tags override the default ones."""
    return UNKNOWN if isinstance(own, UnknownValue) else {**default, **(own or {})}


def _named_by_prefix(type: str, given: dict[str, Any], seed: str) -> dict[str, Any]:
    """With a prefix, the provider adds 26 digits when it makes the resource (terraform-plugin-sdk helper/id)."""
    named = types()[type].named if type in types() else ""
    if not named or f"{named}Prefix" not in given:
        return given
    return {**given, named: given[f"{named}Prefix"] + outputs.digits_of(seed)[:26]}


@functools.cache
def _regions() -> frozenset[str]:
    return frozenset(cast(Any, botocore.session).get_session().get_available_regions("ec2"))
