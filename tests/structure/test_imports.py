"""Which part may import which: the arrows of the layout, held over the whole import graph."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions

import pytest

from infra.packaging.contents import LEFT_OUT
from tests.structure.requirements_files import normal, pinned
from tests.structure.source import PACKAGES, lies_under, modules

CLOUD = ("boto3", "botocore", "pulumi", "pulumi_aws", "pulumi_random")
NETWORK = ("aiohttp", "httpx", "http.client", "huggingface_hub", "requests", "socket", "urllib.request", "urllib3")


@pytest.mark.parametrize(
    ("folder", "forbidden", "reason"),
    [
        ("infra/configuration", (*CLOUD, *NETWORK), "reads text and nothing else"),
        ("infra/planning", CLOUD, "plans are made, and tested, without an account"),
        (
            "gateway_lambda",
            (*CLOUD, "infra", "local", "commands", "cloud"),
            "the function ships alone, and starts fast",
        ),
        ("infra", ("local", "commands", "cloud"), "what is deployed does not know that it can run on a laptop"),
        ("commands", ("local", "cloud"), "only local is local, and only cloud is the cloud of this machine"),
        ("local", (*CLOUD, "cloud"), "`make local` needs no Pulumi and no AWS"),
    ],
)
def test_a_part_imports_nothing_of_what_it_must_not_know(folder: str, forbidden: tuple[str, ...], reason: str) -> None:
    found = [
        f"{module.name} imports {name}"
        for module in modules(folder)
        for name in module.imports()
        if lies_under(name, *forbidden)
    ]
    assert found == [], reason


def test_infra_takes_only_the_record_and_the_templates_from_the_gateway() -> None:
    found = [
        f"{module.name} imports {name}"
        for module in modules("infra")
        for name in module.imports()
        if lies_under(name, "gateway_lambda")
        and not lies_under(name, "gateway_lambda.registry.record", "gateway_lambda.templates")
    ]
    assert found == []


def test_the_project_imports_no_tests_and_no_bench() -> None:
    found = [
        f"{module.name} imports {name}"
        for module in modules(*PACKAGES)
        for name in module.imports()
        if lies_under(name, "tests", "bench")
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["infra", "gateway_lambda"])
def test_nothing_that_is_deployed_speaks_of_running_locally(folder: str) -> None:
    speaks = re.compile(r"python -m local|\bis_local\b|\bstand-?in\b|smollm|xllamacpp", re.IGNORECASE)
    found = [
        f"{module.name}: {line.strip()}"
        for module in modules(folder)
        for line in module.text.splitlines()
        if speaks.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("folders", "requirements"),
    [
        (("gateway_lambda",), "requirements-lambda.txt"),
        (("infra/configuration", "infra/planning", "gateway_lambda", "local"), "requirements-local.txt"),
        (("infra",), "requirements.txt"),
    ],
)
def test_every_import_is_pinned_where_the_part_is_installed_from(folders: tuple[str, ...], requirements: str) -> None:
    """`make local` installs requirements-local.txt alone, the function's zip holds requirements-lambda.txt alone."""
    distributions = packages_distributions()
    there = pinned(requirements)
    missing = {
        f"{module.name} imports {top}"
        for module in modules(*folders)
        for top in {name.split(".")[0] for name in module.imports()}
        if top not in sys.stdlib_module_names
        and top not in (*PACKAGES, "__future__")
        and not (requirements == "requirements-lambda.txt" and f"{module.name.replace('.', '/')}.py" in LEFT_OUT)
        and not any(normal(name) in there for name in distributions.get(top, [top]))
    }
    assert sorted(missing) == []


def test_the_parts_of_the_cloud_know_each_other_only_by_aws_s_api() -> None:
    allowed = {"pulumi_command": ("cloud.deployment",)}
    parts = sorted({module.name.split(".")[1] for module in modules("cloud") if module.name.count(".") > 1})
    found = [
        f"{module.name} imports {name}"
        for part in parts
        for module in modules(f"cloud/{part}")
        for name in module.imports()
        if lies_under(name, *(f"cloud.{other}" for other in parts if other != part))
        and not lies_under(name, "cloud.control_plane.client", *allowed.get(part, ()))
    ]
    assert (len(parts), found) == (7, [])
