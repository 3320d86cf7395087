"""The base class of every map in a configuration. It is frozen, and reports all its problems with their reasons."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.configuration.problem import NOTHING, Source

UNKNOWN = "an unknown key"


@dataclass(frozen=True)
class Refusal:
    """Why a key of dstack is not supported, and its neutral values, which ask for nothing and are read as absent."""

    reason: str
    remedy: str
    neutral: tuple[object, ...] = (None,)

    def is_neutral(self, value: object) -> bool:
        """Return whether `value` asks for nothing."""
        return any(type(value) is type(same) and value == same for same in self.neutral)


def _add_refused_keys(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add the refused keys of dstack to the JSON Schema, with their reasons and their neutral values."""
    if issubclass(model, Section):
        for key, refusal in model.refused.items():
            text = f"Not supported: {refusal.reason}. Instead: {refusal.remedy}."
            schema["properties"][key] = {"description": text, "deprecated": True, "enum": list(refusal.neutral)}


class Section(BaseModel, frozen=True):
    """A map of the configuration.

    It is frozen, because a plan must not change what the user wrote. As in dstack, a number becomes text where a key
    needs text. Infinity and not-a-number are refused, because they cannot be deployed.
    """

    model_config = ConfigDict(
        extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False, json_schema_extra=_add_refused_keys
    )

    refused: ClassVar[Mapping[str, Refusal]] = {}
    """The keys of dstack that are not supported here."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Keys that users expect here, and where they belong."""

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Return the map that a short form stands for, and any other value unchanged."""
        return value

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        """Return the keys whose values conflict, as (key, error). The values are not checked yet."""
        return iter(())

    @model_validator(mode="wrap")
    @classmethod
    def _read_every_key(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report all problems of the map at once: keys, values, and values that conflict."""
        data = cls.read_short_form(data)
        if not isinstance(data, Mapping):
            return handler(data)
        given = {str(key): value for key, value in cast(Mapping[object, object], data).items()}
        problems = [detail(key, error) for key, error in cls._problems_of_keys(given)]
        kept = {key: value for key, value in given.items() if key in cls.model_fields}
        problems += [detail(key, error) for key, error in cls.conflicts(kept)]
        try:
            section = handler(kept)
        except ValidationError as error:
            problems += as_details(error)
        else:
            if not problems:
                return section
        raise ValidationError.from_exception_data(cls.__name__, problems)

    @classmethod
    def _problems_of_keys(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        meant = {nearest(key, cls.model_fields) for key in given.keys() - cls.model_fields.keys() - cls.refused.keys()}
        for key, value in given.items():
            refusal = cls.refused.get(key)
            if key in cls.model_fields or (refusal and refusal.is_neutral(value)):
                continue
            if refusal:
                yield key, problem(f"{key} is not supported: {refusal.reason}", refusal.remedy)
            elif key in cls.elsewhere:
                yield key, problem(f"{key} belongs {cls.elsewhere[key]}", "move it there", found=UNKNOWN)
            else:
                yield key, unknown_key(key, cls.model_fields, cls.refused)
        for key, field in cls.model_fields.items():
            if field.is_required() and key not in given and key not in meant:
                example = field.examples[0] if field.examples else "…"
                yield key, problem(f"`{key}` is required", f"add `{key}: {example}`", found=NOTHING)


class Written(Section, frozen=True):
    """A complete configuration that knows where it was written."""

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """The place where the configuration was written: `source.line(("model", "chat_template"))`."""
        return self._source

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return the configuration with other values. The values must be valid."""
        return self.model_copy(update=changes)

    def at(self, source: Source) -> Self:
        """Return the same configuration with `source` as its place."""
        placed = self.model_copy()
        object.__setattr__(placed, "_source", source)
        return placed


def problem(rule: str, remedy: str, *, found: str | None = None) -> PydanticCustomError:
    """Return an error with its rule and remedy. `found` is the text that is shown; None shows the value as written."""
    context: dict[str, Any] = {"rule": rule, "remedy": remedy}
    if found is not None:
        context["found"] = found
    return PydanticCustomError("servestack", "{rule}", context)


def unknown_key(key: str, known: Iterable[str], refused: Iterable[str] = ()) -> PydanticCustomError:
    """Return the error for a key that is not in `known`. The remedy names the nearest known key."""
    names = list(known)
    near = nearest(key, [*names, *refused])
    if near is None:
        return problem(f"the keys here are {', '.join(names)}", "remove it, or write one of these keys", found=UNKNOWN)
    rule = "every key must be known, because a misspelled key would have no effect"
    if near in names:
        return problem(rule, f"did you mean `{near}`?", found=UNKNOWN)
    return problem(rule, f"remove it; the nearest key is dstack's `{near}`, which is not supported", found=UNKNOWN)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that the user probably meant by `word`."""
    names = list(known)
    wanted = word.lower().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    begins = [name for name in names if len(name) > 2 and wanted.startswith(name)]
    begun = [name for name in names if len(wanted) > 2 and name.startswith(wanted)]
    return next(iter([*close, *begins, *begun]), None)


def as_details(error: ValidationError) -> list[InitErrorDetails]:
    """Return the same errors so that they can be raised together with others.

    Missing keys are left out, because the section reports them itself.
    """
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        context = line.get("ctx", {})
        kind: str | PydanticCustomError = line["type"]
        if kind == "missing":
            continue
        if kind == "servestack":
            kind = PydanticCustomError("servestack", "{rule}", context)
        details.append({"type": kind, "loc": line["loc"], "input": line["input"], "ctx": context})
    return details


def detail(key: str | int, error: PydanticCustomError) -> InitErrorDetails:
    """Return the error of a key, or of an item of a list, so that it can be raised together with others."""
    return {"type": error, "loc": (key,), "input": None}
