"""docs/configuration.schema.json and docs/configuration.md are made from the types and agree with the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway_lambda.registry.record import Limits as RecordLimits
from gateway_lambda.registry.record import Model
from infra.configuration import ConfigurationError, Limits, ModelConfiguration, loads
from infra.configuration.reference import SECTIONS, page_text, schema_text
from infra.configuration.section import Section
from tests.configuration.support import SERVICE
from tests.support.examples import GATEWAYS, SERVICES, name_of

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs/configuration.schema.json"
PAGE = ROOT / "docs/configuration.md"
FRESH = "run `python -m infra.configuration.reference`"

RECORDED = json.loads((Path(__file__).parent / "dstack.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_schema_is_fresh() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), FRESH


def test_the_page_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_text(page), FRESH


def test_the_page_has_every_map_and_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, section in SECTIONS.items():
        assert f"<!-- keys of {name} -->" in page
        for key in (*section.model_fields, *section.refused):
            assert f"| `{key}` |" in page, f"{name}.{key}"


def test_every_key_is_described_in_the_schema(schema: Draft202012Validator) -> None:
    silent = [
        f"{name}.{key}"
        for name, definition in schema.schema["$defs"].items()
        for key, value in (_long_form(definition).get("properties") or {}).items()
        if "description" not in value
    ]
    assert silent == []


def test_every_map_that_a_user_writes_is_on_the_page() -> None:
    def below(section: type[Section]) -> set[type[Section]]:
        return {section}.union(*(below(child) for child in section.__subclasses__()))

    ours = {section for section in below(Section) if section.model_fields and section.__module__.startswith("infra.")}
    ranges = {section for section in ours if section.__name__.endswith("Range")}
    assert ours - ranges == set(SECTIONS.values())


def test_the_schema_is_one(schema: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(schema.schema)


@pytest.mark.parametrize("example", [*GATEWAYS, *SERVICES], ids=name_of)
def test_examples_are_valid(example: Path, schema: Draft202012Validator) -> None:
    assert list(schema.iter_errors(yaml.safe_load(example.read_text(encoding="utf-8")))) == []


def test_the_schema_takes_what_the_reader_takes_of_dstacks_spellings(schema: Draft202012Validator) -> None:
    """Only the reader accepts a quoted boolean, or null for a default: YAML makes these by accident."""
    rejected = [
        case["text"].removeprefix(SERVICE).strip()
        for case in RECORDED
        if case["here"] == "read" and not schema.is_valid(yaml.safe_load(case["text"]))
    ]
    assert rejected == REJECTED_BY_THE_SCHEMA_ALONE


def test_the_schema_refuses_misspelt_and_refused_keys(schema: Draft202012Validator) -> None:
    base = {"type": "service", "image": "nginx", "port": 80}
    assert schema.is_valid(base)
    for wrong in ({"prot": 80}, {"https": False}, {"groups": []}, {"resources": {"gpus": 1}}, {"model": {"nam": "m"}}):
        assert not schema.is_valid({**base, **wrong}), wrong
    assert schema.is_valid({**base, "https": True, "nvcc": False})


def test_a_model_takes_the_records_fields_with_the_records_defaults() -> None:
    """Every field except `created`, which is set when the run registers, and `generates`, which its server says."""
    ours = {key: _plain(value) for key, value in ModelConfiguration(name="m").model_dump().items()}
    record, left_out = Model(name="m"), ("created", "generates")
    theirs = {key: _plain(getattr(record, key)) for key in Model.__struct_fields__ if key not in left_out}
    assert {**ours, "limits": None} == {**theirs, "limits": None}
    assert Limits().model_dump() == {key: getattr(RecordLimits(), key) for key in RecordLimits.__struct_fields__}


def test_a_page_that_shows_a_report_shows_what_is_said() -> None:
    page = PAGE.read_text(encoding="utf-8")
    text = "type: service\nimage: nginx\nprot: 80\n\n\n\n\nresources:\n  gpu: A10G::2\n"
    with pytest.raises(ConfigurationError) as raised:
        loads(text, "serve.dstack.yml")
    assert str(raised.value) in page


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _long_form(definition: dict[str, Any]) -> dict[str, Any]:
    forms = [form for form in definition.get("anyOf", []) if "properties" in form]
    return forms[0] if forms else definition


REJECTED_BY_THE_SCHEMA_ALONE = [
    "name: 123",
    "type: service\nimage: 5\nport: 80",
    "model: {name: 5, format: tgi}",
    "auth: 1",
    "auth: 'true'",
    "auth: 'no'",
    "gateway: 5",
    "replicas: null",
    "scaling: {metric: rps, target: 1, window: null}\nreplicas: 1..4",
    "probes: [{type: http, url: null, timeout: null}]",
    "registry_auth: {username: 1, password: 2}",
    "privileged: 'on'",
    "spot_policy: null",
    "resources:\n  cpu: {arch: ARM, count: 2..}",
    "nvcc: null",
    "docker: null",
    "name: 0x1F",
]
