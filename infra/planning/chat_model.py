"""The chat model of a service, as the gateway's registry holds it.

Templates of the configuration were compiled when it was read. Templates from a repository are compiled here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.registry.record import Limits, Model
from gateway_lambda.templates import TemplateInvalid, compile_template
from infra.configuration import ModelConfiguration, Problem, Secret, ServiceConfiguration
from infra.configuration.problem import NOTHING
from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.environment import hub_token
from infra.planning.repository import HubError, own_site
from infra.planning.table_items import LONGEST_MODEL_NAME

LARGEST_RECORD = 390_000
"""The most bytes of a model's record as JSON. A DynamoDB item has 400 KB, and also holds the rest of the record."""

_PLAIN_FIELDS = (
    "name",
    "type",
    "format",
    "prefix",
    "strip_bos",
    "default_max_tokens",
    "clamp_max_tokens",
    "max_n",
    "unsupported_params",
    "tools",
    "json_object",
    "vision",
    "prefill",
    "control_tokens_in_input",
    "adapter_id",
)
"""Fields that are the same in the configuration and in the record."""


def plan_model(
    configuration: ServiceConfiguration,
    *,
    generates: bool = True,
    values: Mapping[str, str | Secret],
    resolve: ResolveChatTemplate,
    problems: list[Problem],
) -> Model | None:
    """Return the model, with a template that the gateway can compile; `None`: the service has no model.

    Nothing is looked up for `format: openai`, whose server renders its own templates, or when the configuration sets
    both `chat_template` and `eos_token`. Values of the configuration override those that are found. `generates`:
    whether its server writes text. Problems are added to `problems`.
    """
    given = configuration.model
    if given is None:
        return None
    model = _resolved(configuration, given, values, resolve, problems)
    if not generates:
        model = msgspec.structs.replace(model, generates=False)
    _check_record(configuration, model, problems)
    return model


def _resolved(
    configuration: ServiceConfiguration,
    given: ModelConfiguration,
    values: Mapping[str, str | Secret],
    resolve: ResolveChatTemplate,
    problems: list[Problem],
) -> Model:
    model = _as_written(given)
    if given.format == "openai":
        return model
    if given.chat_template is not None and given.eos_token is not None:
        return model
    wanted = ModelRepository(
        repo=given.hub_repo or given.name, revision=given.revision, token=hub_token(values), site=own_site(values)
    )
    try:
        found = resolve(wanted)
    except HubError as error:
        missing = "chat_template" if given.chat_template is None else "eos_token"
        problems.append(_unresolved(configuration, missing, error, values))
        return model
    completed = _completed(model, given, found, wanted)
    if given.chat_template is None and found.template is not None:
        _check_found(configuration, found, problems)
    return completed


def _check_record(configuration: ServiceConfiguration, model: Model, problems: list[Problem]) -> None:
    """Refuse a model that the registry cannot hold."""
    line = configuration.source.line(("model",))
    try:
        size = len(msgspec.json.encode(model))
    except UnicodeEncodeError:
        rule = "a model's templates and tokens must be valid text, but one of them has half of a surrogate pair"
        remedy = "write the whole character, or remove it"
        problems.append(Problem(where="model", line=line, rule=rule, remedy=remedy))
        return
    if len(model.name.encode()) > LONGEST_MODEL_NAME:
        rule = f"a model's name has at most {LONGEST_MODEL_NAME} bytes"
        line = configuration.source.line(("model", "name"))
        problems.append(Problem(where="model.name", line=line, rule=rule, remedy="shorten it"))
    if size > LARGEST_RECORD:
        rule = f"a model's templates and tokens have at most {LARGEST_RECORD // 1000} KB together"
        remedy = "set model.chat_template to the template that is used"
        problems.append(Problem(where="model", line=line, rule=rule, remedy=remedy))


def _as_written(given: ModelConfiguration) -> Model:
    plain: dict[str, Any] = {name: getattr(given, name) for name in _PLAIN_FIELDS}
    return Model(
        **plain,
        chat_template=given.chat_template,
        chat_templates=dict(given.chat_templates),
        eos_token=given.eos_token,
        bos_token=given.bos_token,
        special_tokens=_lists(given.special_tokens),
        hub_repo=given.hub_repo,
        revision=given.revision,
        stop_strings=None if given.stop_strings is None else list(given.stop_strings),
        limits=Limits(**given.limits.model_dump()),
        image_hosts=list(given.image_hosts),
    )


def _completed(model: Model, given: ModelConfiguration, found: ChatTemplate, wanted: ModelRepository) -> Model:
    """Return the model, with the found values for those that the configuration does not set."""
    tokens = found.tokens
    eos = given.eos_token or tokens.eos
    ends = list(dict.fromkeys((*((eos,) if eos else ()), *tokens.ends)))
    return msgspec.structs.replace(
        model,
        chat_template=given.chat_template or found.template,
        chat_templates={**({} if given.chat_template else found.named), **given.chat_templates},
        eos_token=eos,
        bos_token=given.bos_token or tokens.bos,
        special_tokens=_lists({**tokens.others, **given.special_tokens}),
        hub_repo=wanted.repo,
        revision=found.sha or given.revision,
        stop_strings=list(given.stop_strings) if given.stop_strings is not None else ends,
    )


def _lists(tokens: Mapping[str, str | list[str] | tuple[str, ...]]) -> dict[str, str | list[str]]:
    return {name: token if isinstance(token, str) else list(token) for name, token in tokens.items()}


def _check_found(configuration: ServiceConfiguration, found: ChatTemplate, problems: list[Problem]) -> None:
    """Compile the templates that were found."""
    templates = {"": found.template or "", **{f" ({name})": text for name, text in found.named.items()}}
    for name, text in templates.items():
        try:
            compile_template(text)
        except TemplateInvalid as error:
            problems.append(
                Problem(
                    where="model.chat_template",
                    line=configuration.source.line(("model",)),
                    rule=f"the template{name} in {found.origin} cannot be compiled: {error.message}",
                    remedy="set model.chat_template to a template that compiles",
                )
            )


def _unresolved(
    configuration: ServiceConfiguration, missing: str, error: HubError, values: Mapping[str, str | Secret]
) -> Problem:
    model_id = values.get("MODEL_ID")
    hint = ""
    given = configuration.model
    if given is not None and given.hub_repo is None and isinstance(model_id, str) and model_id != given.name:
        hint = f" (env has MODEL_ID={model_id}; set model.hub_repo to {model_id} to look there)"
    return Problem(
        where=f"model.{missing}",
        line=configuration.source.line(("model",)),
        found=NOTHING,
        rule=f"it is not set, and cannot be looked up: {error.rule}",
        remedy=f"{error.remedy}{hint}",
    )
