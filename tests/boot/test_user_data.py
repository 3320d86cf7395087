"""The user data: one compressed script, the same bytes for the same plan, small enough, without secrets."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import random
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

import infra.planning.boot
from infra.configuration import ServiceConfiguration
from infra.configuration.reading import load
from infra.planning import PlanError, ServicePlan, plan_service, unresolved
from infra.planning.boot import (
    LARGEST_USER_DATA,
    UserDataTooLarge,
    bytes_at_most,
    parameters,
    script,
    user_data,
)
from infra.planning.boot.laying import laying_script
from infra.planning.boot.quoting import quote
from infra.planning.boot.user_data import PARTS
from tests.boot.planned import SERVICE, planned
from tests.boot.test_serving import EVERYTHING
from tests.support.examples import SERVICES, name_of

PLACE = {
    "region": "us-east-1",
    "table": "servestack-registry-1a2b3c4",
    "log_group": "/servestack/run-1a2b3c4",
    "files_bucket": "servestack-gateway-files-1a2b3c4",
}
ROOM = 2048
"""The bytes that the examples leave for longer commands and variables."""
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


@pytest.fixture(params=SERVICES, ids=name_of)
def example(request: pytest.FixtureRequest) -> ServicePlan:
    configuration = load(request.param)
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(configuration, run="run", environment={"HF_TOKEN": "hf_hidden"}, resolve=unresolved)


def test_every_example_fits_and_is_what_cloud_init_takes(example: ServicePlan) -> None:
    compressed = base64.b64decode(made(example), validate=True)
    assert len(compressed) <= bytes_at_most(example) <= LARGEST_USER_DATA - ROOM == 16_384 - 2048
    text = gzip.decompress(compressed).decode("ascii")
    assert text == written(example)
    assert text.startswith("#!/bin/bash\n")
    assert "\r" not in text, "cloud-init would rewrite line ends"
    assert "hf_hidden" not in text


def test_what_users_write_is_too_far_down_to_make_an_email_of_it() -> None:
    text = written(planned("commands: ['MIME-Version: 1.0']\nenv: {MIME: 'mime-version: 1.0'}\n"))
    assert text.lower().index("mime-version:") > 4096, "cloud-init looks there (cloudinit/user_data.py: convert_string)"


def test_the_same_plan_makes_the_same_bytes_without_time_or_name_of_a_system(example: ServicePlan) -> None:
    assert made(example) == made(dataclasses.replace(example))
    assert base64.b64decode(made(example))[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


WITH_EVERYTHING = EVERYTHING.replace("resources: {gpu: 24GB, shm_size: 1.5GB}\n", "") + (
    "probes: [{type: http, url: /health}, {type: http, url: /ready, method: post}]\n"
    "files: [pyproject.toml]\nrepos: ['https://git.example.com/org/app:/app']\n"
    "utilization_policy: {min_gpu_utilization: 10, time_window: 1h}\n"
)


def test_bash_reads_the_script_as_the_parts_are_written() -> None:
    """Except for the spaces before lines, which the programs for awk have too, in strings of several lines."""
    boot = Path(infra.planning.boot.__file__).parent
    assert sorted(f"{part}.sh" for part in (*PARTS, "laying")) == sorted(file.name for file in boot.glob("*.sh"))
    text = written(planned(WITH_EVERYTHING))
    parts = "".join((boot / f"{part}.sh").read_text() for part in PARTS)
    assert read_by_bash(text[: text.index("\nRUN=") + 1]) == read_by_bash(f"set -euo pipefail\n{parts}")


def read_by_bash(text: str) -> list[str]:
    command = ["/bin/bash", "--pretty-print", "/dev/stdin"]
    read = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)
    return [line.strip() for line in read.stdout.splitlines() if line.strip()]


def test_a_script_has_only_the_parts_that_its_plan_calls() -> None:
    functions = [
        set(re.findall(r"^(\w+)\(\) \{", written(planned(lines)), flags=re.MULTILINE))
        for lines in ("", WITH_EVERYTHING)
    ]
    assert functions[1] - functions[0] == {
        "await_probe", "await_probes", "close_door", "door", "end_service", "fetch_object", "lay_files", "log_in",
        "log_in_by_role", "refused_by_ecr", "watch_utilization",
    }  # fmt: skip
    ecr = planned(service=SERVICE.replace("registry.example.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com"))
    assert "log_in_by_role()" in written(ecr)


@pytest.mark.parametrize("lines", ["", WITH_EVERYTHING])
def test_shellcheck_has_nothing_to_say(lines: str, tmp_path: Path) -> None:
    file = tmp_path / "boot.sh"
    plan = planned(lines)
    text = written(plan)
    if plan.lays:  # as bash reads both
        text = text.replace("\nlay_files() {", f"\n{laying_script(plan)}\nlay_files() {{")
    file.write_text(text)
    checked = subprocess.run([SHELLCHECK, file], capture_output=True, text=True, timeout=60, check=False)
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)
    assert "shellcheck disable" not in file.read_text()


def test_a_new_version_of_a_parameter_changes_user_data() -> None:
    plan = planned("env: [HF_TOKEN=hf_x]\n")
    first, second = (user_data(plan, **PLACE, parameter_versions={"HF_TOKEN": n}) for n in (1, 2))
    assert first != second
    assert "SECRETS=($'HF_TOKEN 2')\n" in gzip.decompress(base64.b64decode(second)).decode()


@pytest.mark.parametrize("versions", [{}, {"HF_TOKEN": 1, "B": 1}, {"/servestack/run/HF_TOKEN": 1}])
def test_versions_are_those_of_the_plan_s_parameters(versions: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"^parameter_versions must have a version for each name"):
        user_data(planned("env: [HF_TOKEN=hf_x]\n"), **PLACE, parameter_versions=versions)


@pytest.mark.parametrize(("key", "where"), [("commands: ['{}']", "commands"), ("env: [{}]", "env")])
def test_what_is_too_large_for_user_data_is_refused_when_planning(key: str, where: str) -> None:
    noise = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=30_000))
    text = noise if where == "commands" else ", ".join(f"A{i}={noise[i * 900 : (i + 1) * 900]}" for i in range(33))
    rule = r"the compressed boot script of a replica has [0-9]+ bytes, but EC2 allows 16384 bytes of user data"
    with pytest.raises(PlanError, match=rf"\n  rule:   {rule}\n") as caught:
        planned(key.format(text) + "\n")
    assert [problem.where for problem in caught.value.problems] == [where]
    container = dataclasses.replace(planned().container, arguments=(noise,))
    with pytest.raises(UserDataTooLarge, match=r"^user data has [0-9]+ bytes, but EC2 allows 16384: shorten commands"):
        made(dataclasses.replace(planned(), container=container))


@pytest.mark.parametrize("number", [1, 30, 150])
def test_what_planning_takes_fits_whatever_the_versions_become(number: int) -> None:
    plan = planned(
        "env: [" + ", ".join(f"SECRET_{index}" for index in range(number)) + "]\n",
        **dict.fromkeys((f"SECRET_{index}" for index in range(number)), "hidden"),
    )
    noise = random.Random(3)
    some = {parameter.name: noise.randint(1, 99_999) for parameter in parameters(plan)}
    assert len(base64.b64decode(user_data(plan, **PLACE, parameter_versions=some))) <= bytes_at_most(plan)


def test_large_values_go_by_ssm_so_that_many_of_them_fit() -> None:
    noise = random.Random(2)
    values = {f"V{i}": "".join(noise.choices(string.ascii_letters, k=8192)) for i in range(12)}
    plan = planned("env: [" + ", ".join(values) + "]\n", **values)
    plain = planned("env: {" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}\n")
    assert bytes_at_most(plan) < bytes_at_most(planned()) + 2000
    assert [parameter.name for parameter in parameters(plain)] == [parameter.name for parameter in parameters(plan)]


@pytest.mark.parametrize("text", ["", "plain", "it's", 'a "b" $c `d` \\ %', "é日\U0001f600", "\r\n\t\x01\x7f", "$'x'"])
def test_a_quoted_word_is_one_line_of_ascii_with_the_text_as_its_value(text: str) -> None:
    quoted = quote(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    ran = subprocess.run(["/bin/bash", "-c", f"printf '%s.' {quoted}"], capture_output=True, check=True)
    assert ran.stdout == f"{text}.".encode()


def test_a_nul_character_cannot_be_quoted() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def made(plan: ServicePlan) -> str:
    return user_data(plan, **PLACE, parameter_versions=versions(plan))


def written(plan: ServicePlan) -> str:
    return script(plan, **PLACE, parameter_versions=versions(plan))


def versions(plan: ServicePlan) -> dict[str, int]:
    return {parameter.name: 1 for parameter in parameters(plan)}


def test_only_comments_are_left_out() -> None:
    """A `#` in a string is no comment: the quotes before a comment are in pairs."""
    folder = Path(__file__).parents[2] / "infra/planning/boot"
    parts = [(part, (folder / f"{part}.sh").read_text()) for part in PARTS]
    lines = [(part, line) for part, text in parts for line in text.splitlines()]
    broken = [
        (part, line)
        for part, line in lines
        if (found := re.search(r" +# [^'\"]*$", line))
        and not line.lstrip().startswith("#")
        and any(line[: found.start()].count(mark) % 2 for mark in "'\"")
    ]
    assert broken == []
    assert not re.search(r"^ *#(?!!)| # [^'\"]*$", written(planned()), re.MULTILINE)
