"""The pages of the commands name every flag."""

from __future__ import annotations

import re

import pytest

from commands.plan.arguments import read_arguments as plan_arguments
from commands.smoke.arguments import read_arguments as smoke_arguments
from infra.configuration.options import option_words
from tests.readme.markdown import read


def test_every_flag_of_make_plan_is_on_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan_arguments(["--help"], {})
    settings = {f"--{word.replace('_', '-')}" for word in option_words()}
    flags = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert settings < flags
    assert {flag for flag in flags - settings if f"`{flag}" not in read("docs/plan.md")} == set()


def test_every_flag_of_make_smoke_is_on_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        smoke_arguments(["--help"], {})
    flags = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert {flag for flag in flags if f"`{flag}" not in read("docs/smoke.md")} == set()
