"""The base of every map of a configuration: frozen, and every problem of it reported, with its reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.configuration.problem import Source


@dataclass(frozen=True)
class Refusal:
    """Why a key of dstack's is not supported, and the values of it that ask for nothing and are read as absent."""

    reason: str
    remedy: str
    neutral: tuple[object, ...] = (None,)

    def is_neutral(self, value: object) -> bool:
        return any(type(value) is type(same) and value == same for same in self.neutral)


class Section(BaseModel, frozen=True):
    """A map of the configuration.

    Frozen, because a plan must not change what was written. Numbers become text where text is wanted, since dstack
    reads them so; infinity and not-a-number are nothing that can be deployed.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    refused: ClassVar[Mapping[str, Refusal]] = {}

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """The map that a short spelling stands for; anything else unchanged."""
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _read_every_key(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Reports unknown and refused keys together with what is wrong with the others."""
        data = cls.read_short_form(data)
        if not isinstance(data, Mapping):
            return handler(data)
        given = cast(Mapping[object, object], data)
        problems: list[InitErrorDetails] = []
        kept: dict[str, object] = {}
        for key, value in given.items():
            if isinstance(key, str) and key in cls.model_fields:
                kept[key] = value
                continue
            refusal = cls.refused.get(key) if isinstance(key, str) else None
            if refusal is None:
                problems.append({"type": unknown_key(str(key), cls.model_fields), "loc": (str(key),), "input": None})
            elif not refusal.is_neutral(value):
                error = problem(refusal.reason, refusal.remedy, found="")
                problems.append({"type": error, "loc": (str(key),), "input": None})
        try:
            section = handler(kept)
        except ValidationError as error:
            problems.extend(as_details(error))
        else:
            if not problems:
                return section
        raise ValidationError.from_exception_data(cls.__name__, problems)


class Written(Section, frozen=True):
    """A whole configuration, which knows where it was written."""

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Where it was written: `source.line(("model", "chat_template"))`."""
        return self._source

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same configuration with other values, which have been read already."""
        return self.model_copy(update=changes)

    def at(self, source: Source) -> Self:
        """The same configuration, written at `source`."""
        placed = self.model_copy()
        object.__setattr__(placed, "_source", source)
        return placed


def problem(rule: str, remedy: str, *, found: str | None = None) -> PydanticCustomError:
    """An error that already has its words. `found=""` shows nothing of the value; None shows the value as written."""
    context: dict[str, Any] = {"rule": rule, "remedy": remedy}
    if found is not None:
        context["found"] = found
    return PydanticCustomError("servestack", "{rule}", context)


def unknown_key(key: str, known: Iterable[str]) -> PydanticCustomError:
    """`key` is none of `known`; the remedy names the nearest."""
    names = list(known)
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    remedy = f"write `{near[0]}`, which is the nearest known key" if near else "remove it"
    return problem(f"the known keys here are {', '.join(names)}", remedy, found="a key that is not known here")


def as_details(error: ValidationError) -> list[InitErrorDetails]:
    """The same errors, ready to be raised again together with others."""
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        context = line.get("ctx", {})
        kind: str | PydanticCustomError = line["type"]
        if kind == "servestack":
            kind = PydanticCustomError("servestack", "{rule}", context)
        details.append({"type": kind, "loc": line["loc"], "input": line["input"], "ctx": context})
    return details
