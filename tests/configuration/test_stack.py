"""Stack config and the command line: one reader reads the same words and applies them to the configuration."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from infra.configuration import (
    ConfigurationError,
    CountRange,
    GatewaySettings,
    Gpu,
    Problem,
    Resources,
    Secret,
    ServiceSettings,
    SizeRange,
    apply_settings,
    check_run_name,
    read_settings,
)
from tests.configuration.support import GATEWAY, SERVICE, gateway, service


def test_a_services_settings_have_their_defaults() -> None:
    assert read_settings({"configuration": "serve.dstack.yml"}, "service").model_dump() == {
        "configuration": "serve.dstack.yml",
        "gateway": None,
        "gpu": None,
        "cpu": None,
        "memory": None,
        "disk": None,
        "env": {},
        "secrets": {},
        "auth": None,
        "spot_policy": None,
        "max_price": None,
        "regions": None,
        "instance_types": None,
        "availability_zones": None,
        "ami": None,
        "base_image": None,
        "capacity_block": False,
        "boot_timeout": 1800,
        "on_failure": "stop",
        "wait": True,
        "weight": None,
        "alarm_email": None,
        "alarm_topic": None,
        "budget": None,
        "preflight": True,
    }


def test_a_gateways_settings_have_their_defaults() -> None:
    assert read_settings({"configuration": "gateway.dstack.yml"}, "gateway").model_dump() == {
        "configuration": "gateway.dstack.yml",
        "auth": True,
        "keys": {
            "default": {
                "runs": None,
                "expires": None,
                "requests_per_minute": None,
                "tokens_per_day": None,
                "max_concurrent": None,
            }
        },
        "domain": None,
        "zone_id": None,
        "vpc_id": None,
        "subnet_ids": None,
        "protect": True,
        "manage_api_gateway_account": True,
        "adapter_layer": None,
        "memory_size": 256,
        "reserved_concurrency": None,
        "audit": False,
        "allowed_origins": ("*",),
        "alarm_email": None,
        "alarm_topic": None,
        "budget": None,
        "preflight": True,
    }


def test_everything_may_come_as_text_which_is_what_pulumi_keeps() -> None:
    read = read_settings(
        {
            "configuration": "serve.dstack.yml",
            "gateway": "org/servestack/prod",
            "gpu": '{"name": ["L4", "A10G"], "count": "1..2"}',
            "cpu": "4..",
            "memory": "16GB..",
            "disk": "200",
            "env": '{"A": "1", "B": 2, "C": true}',
            "auth": "false",
            "spot_policy": "auto",
            "max_price": "1.5",
            "regions": "us-east-1, eu-west-1",
            "instance_types": '["g6.xlarge"]',
            "ami": "ami-0123456789abcdef0",
            "boot_timeout": "1h",
            "on_failure": "keep",
            "wait": "false",
            "preflight": "false",
        },
        "service",
    )
    assert read == ServiceSettings.model_validate(
        {
            "configuration": "serve.dstack.yml",
            "gateway": "org/servestack/prod",
            "gpu": {"name": ["L4", "A10G"], "count": {"min": 1, "max": 2}},
            "cpu": {"count": {"min": 4}},
            "memory": {"min": 16},
            "disk": {"size": 200},
            "env": {"A": "1", "B": "2", "C": "true"},
            "auth": False,
            "spot_policy": "auto",
            "max_price": 1.5,
            "regions": ["us-east-1", "eu-west-1"],
            "instance_types": ["g6.xlarge"],
            "ami": "ami-0123456789abcdef0",
            "boot_timeout": 3600,
            "on_failure": "keep",
            "wait": False,
            "preflight": False,
        }
    )


@pytest.mark.parametrize(
    "env",
    [
        Secret('{"A": "x", "B": 7}'),
        {"A": Secret("x"), "B": Secret("7")},
        Secret('["A=x", "B=7"]'),
    ],
)
def test_what_is_secret_in_env_stays_secret(env: object) -> None:
    assert read_settings({"configuration": "f", "env": env}, "service").env == {"A": Secret("x"), "B": Secret("7")}


def test_the_command_lines_variables_are_a_list_as_dstacks_are() -> None:
    env = read_settings({"configuration": "f", "env": ["A=1", "B"]}, "service", "command line").env
    assert env == {"A": "1", "B": None}


def test_settings_win_over_the_configuration_and_the_rest_stays() -> None:
    configuration = service(
        f"{SERVICE}env: [A=1, B]\nauth: true\nresources: {{gpu: A10G:2, memory: 32GB, shm_size: 1GB}}\nmax_price: 9\n"
    )
    settings = read_settings(
        {"configuration": "f", "gpu": "24GB", "env": {"B": Secret("2"), "C": "3"}, "auth": "false", "gateway": "prod"},
        "service",
    )
    applied = apply_settings(configuration, settings)
    assert applied == configuration.changed(
        {
            "env": {"A": "1", "B": Secret("2"), "C": "3"},
            "auth": False,
            "gateway": "prod",
            "resources": Resources(
                gpu=Gpu(memory=SizeRange(min=24, max=24)), memory=SizeRange(min=32, max=32), shm_size=1.0
            ),
        }
    )
    assert applied.resources.gpu.count == CountRange(min=1)
    assert applied.source.line(("image",)) == 2, "what was not set keeps its place in the file"


@pytest.mark.parametrize(
    ("spelling", "places"),
    [
        (
            "stack config",
            ["stack config gpu.memory, resources.memory", "stack config max_price", "stack config env.B"],
        ),
        ("command line", ["--gpu memory, resources.memory", "--max-price", "--env B"]),
    ],
)
def test_later_problems_name_the_settings_that_won(spelling: Any, places: list[str]) -> None:
    configuration = service(f"{SERVICE}env: [A=1, B]\nresources: {{gpu: A10G:2, memory: 32GB}}\nmax_price: 9\n")
    env: object = {"B": "1"} if spelling == "stack config" else ["B=1"]
    settings = read_settings({"configuration": "f", "gpu": "24GB", "max_price": "1", "env": env}, "service", spelling)
    source = apply_settings(configuration, settings, spelling).source
    found = ["resources.gpu.memory, resources.memory", "max_price", "env.B", "env.A", "resources.memory"]
    problems = [source.placed(Problem(where=where, line=5, rule="", remedy="")) for where in found]
    assert [problem.where for problem in problems] == [*places, "env.A", "resources.memory"]
    assert [problem.line for problem in problems] == [None, None, None, 5, 5]


def test_settings_without_anything_change_nothing() -> None:
    configuration = service(f"{SERVICE}gateway: prod\nauth: false\n")
    assert apply_settings(configuration, ServiceSettings(configuration="f")) == configuration
    wide = gateway(f"{GATEWAY}domain: example.com\n")
    assert apply_settings(wide, GatewaySettings(configuration="f")) == wide
    assert apply_settings(wide, GatewaySettings(configuration="f", domain="a.org")) == gateway(
        f"{GATEWAY}domain: a.org\n"
    )


def _report(values: dict[str, object], kind: Any, *spelling: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(values, kind, *spelling)
    return str(raised.value)


def test_problems_of_stack_config_name_its_words() -> None:
    values: dict[str, object] = {
        "gpuu": "24GB",
        "gpu": "A10G::2",
        "keys": "alice",
        "env": {"A B": "x"},
        "max_price": "cheap",
        "regions": "us-east-1,us",
        "ami": "ubuntu",
    }
    assert (
        _report(values, "service")
        == """stack config: 8 problems

stack config gpuu
  found:  an unknown key
  rule:   every key must be known, because a misspelled key would have no effect
  remedy: did you mean `gpu`?

stack config keys
  rule:   `keys` is a setting of a gateway, and this configuration is a service
  remedy: remove it here, and set it in the stack of the gateway

stack config configuration
  found:  nothing
  rule:   `configuration` is required
  remedy: run `pulumi config set configuration PATH`

stack config gpu
  found:  "A10G::2"
  rule:   each colon must have a value before and after it
  remedy: write a value such as A10G:2

stack config env.A B
  found:  not shown, because it may be a secret
  rule:   a variable name must contain only letters, digits and _, and must not begin with a digit
  remedy: write the name that the program in the container reads

stack config max_price
  found:  "cheap"
  rule:   this must be a number
  remedy: write a number such as 2 or 1.5

stack config regions[1]
  found:  "us"
  rule:   a region must be an AWS region name
  remedy: write a region such as us-east-1

stack config ami
  found:  "ubuntu"
  rule:   this must be the id of a machine image
  remedy: copy the id from AWS: ami-…"""
    )


def test_problems_of_the_command_line_name_its_options() -> None:
    values: dict[str, object] = {"configuration": "f", "gpu": "x:y", "env": ["1A=b"], "max_price": "-1"}
    assert (
        _report(values, "service", "command line")
        == """command line: 3 problems

--gpu
  found:  "x:y"
  rule:   a GPU must have only one name part, and this value has two
  remedy: write a value such as L4,A10G:24GB..:1..2

--env [0]
  found:  not shown, because it may be a secret
  rule:   a variable name must contain only letters, digits and _, and must not begin with a digit
  remedy: write NAME=value without spaces around =

--max-price
  found:  "-1"
  rule:   the number must be greater than 0
  remedy: write a larger number"""
    )


def test_a_gateways_settings_are_checked_too() -> None:
    values: dict[str, object] = {
        "configuration": "f",
        "keys": "alice, alice",
        "vpc_id": "vpc-0123456789abcdef0",
        "memory_size": "64",
        "wait": "true",
    }
    assert (
        _report(values, "gateway")
        == """stack config: 4 problems

stack config wait
  rule:   `wait` is a setting of a service, and this configuration is a gateway
  remedy: remove it here, and set it in the stack of the service

stack config vpc_id
  found:  "vpc-0123456789abcdef0"
  rule:   vpc_id and subnet_ids must be set together
  remedy: set subnet_ids too, or remove vpc_id

stack config keys
  found:  alice more than once
  rule:   each key name must be different
  remedy: remove the duplicate

stack config memory_size
  found:  "64"
  rule:   the number must be at least 128
  remedy: write a larger number"""
    )


def test_the_words_about_alarms_are_checked_together() -> None:
    values: dict[str, object] = {"configuration": "f", "alarm_email": "ops, example", "alarm_topic": "on-call"}
    assert (
        _report({**values, "budget": "0"}, "service")
        == """stack config: 4 problems

stack config alarm_email
  found:  "ops, example"
  rule:   alarm_email creates a topic and alarm_topic names one, so only one of them can be set
  remedy: remove alarm_email, and subscribe the address to the topic in SNS

stack config alarm_email
  found:  'ops, example'
  rule:   alarm_email must be one email address
  remedy: write an address such as ops@example.com. For several people, use the address of a list, or alarm_topic

stack config alarm_topic
  found:  'on-call'
  rule:   alarm_topic must be the ARN of a standard topic in SNS
  remedy: copy the ARN from SNS: arn:aws:sns:us-east-1:123456789012:NAME

stack config budget
  found:  "0"
  rule:   the number must be greater than 0
  remedy: write a larger number"""
    )


@pytest.mark.parametrize("kind", ["service", "gateway"])
def test_a_budget_needs_someone_to_tell(kind: Literal["service", "gateway"]) -> None:
    assert (
        _report({"configuration": "f", "budget": "100"}, kind)
        == """stack config: 1 problem

stack config budget
  found:  "100"
  rule:   budget needs someone to tell
  remedy: set alarm_email or alarm_topic too, or remove budget"""
    )
    read = read_settings({"configuration": "f", "budget": "100.50", "alarm_email": "ops@example.com"}, kind)
    assert (read.budget, read.alarm_email) == (100.5, "ops@example.com")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("alarm_email", "a@b"),
        ("alarm_email", "a@b.c, d@e.f"),
        ("alarm_email", "Ana <ana@example.com>"),
        ("alarm_email", f"{'a' * 250}@b.cd"),
        ("alarm_topic", "arn:aws:sns:us-east-1:123456789012:on-call.fifo"),
        ("alarm_topic", "arn:aws:sqs:us-east-1:123456789012:on-call"),
        ("alarm_topic", "arn:aws:sns:us-east-1:123456789012:on-call:0a1b2c3d"),
    ],
)
def test_an_address_or_a_topic_that_tells_nobody_is_refused(word: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        read_settings({"configuration": "f", word: value}, "service")


def test_a_list_that_is_too_short_says_how_many_entries_it_needs() -> None:
    subnets = {"configuration": "f", "vpc_id": "vpc-0123456789abcdef0", "subnet_ids": "subnet-0123456789abcdef0"}
    assert (
        _report({**subnets}, "gateway")
        == """stack config: 1 problem

stack config subnet_ids
  found:  a list
  rule:   the list must have 2 or more entries
  remedy: add an entry, or remove the key"""
    )


def test_a_word_that_is_not_stack_config_is_answered_with_its_place() -> None:
    assert (
        _report(
            {"configuration": "f", "region": "us-east-1", "port": "80", "profile": "work", "domain": "d"}, "service"
        )
        == """stack config: 4 problems

stack config region
  rule:   the region is in the configuration of the gateway, and a service follows its gateway
  remedy: remove it here (pulumi config rm region), and set `region` there

stack config port
  rule:   `port` is a key of the configuration, and not of stack config
  remedy: remove it here (pulumi config rm port), and write `port: …` there

stack config profile
  rule:   the AWS profile is a setting of the AWS provider
  remedy: remove it here (pulumi config rm profile), and run pulumi config set aws:profile NAME

stack config domain
  rule:   `domain` is a setting of a gateway, and this configuration is a service
  remedy: remove it here, and set it in the stack of the gateway"""
    )
    words = ("region", "name", "tags", "profile", "backend")
    report = _report({"configuration": "f", **dict.fromkeys(words, "x")}, "gateway")
    assert [line for line in report.splitlines() if line.startswith("  rule:")] == [
        *(f"  rule:   `{word}` is a key of the configuration, and not of stack config" for word in words[:3]),
        "  rule:   the AWS profile is a setting of the AWS provider",
        "  rule:   `backend` is a key of the configuration, and not of stack config",
    ]


def test_a_key_inside_a_map_that_was_set_without_path_says_how_to_set_it() -> None:
    assert (
        _report({"configuration": "f", "env.HF_TOKEN": "hf_example", "envs.A": "b"}, "service")
        == """stack config: 2 problems

stack config env.HF_TOKEN
  found:  an unknown key
  rule:   `pulumi config set` sets a key inside `env` only with --path
  remedy: run pulumi config rm env.HF_TOKEN, then pulumi config set --path env.HF_TOKEN VALUE (a secret: --secret)

stack config envs.A
  found:  an unknown key
  rule:   every key must be known, because a misspelled key would have no effect
  remedy: did you mean `env`?"""
    )


def _keys(given: object) -> dict[str, tuple[tuple[str, ...] | None, int | None]]:
    read = read_settings({"configuration": "f", "keys": given}, "gateway").keys
    return {name: (options.runs, options.requests_per_minute) for name, options in read.items()}


def test_keys_are_names_or_a_map_of_names_to_options() -> None:
    assert _keys("alice,alice@2") == {"alice": (None, None), "alice@2": (None, None)}
    assert _keys('["alice"]') == {"alice": (None, None)}
    assert _keys('{"alice": {"runs": "a,b", "requests_per_minute": 60}, "bob": {"runs": ["c"]}, "eve": ""}') == {
        "alice": (("a", "b"), 60),
        "bob": (("c",), None),
        "eve": (None, None),
    }
    assert _keys('{"alice": {"requests_per_minute": "7"}, "bob": {}}') == {"alice": (None, 7), "bob": (None, None)}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", "2027-02-01T00:00:00+00:00"),
        (" 2028-02-28 ", "2028-02-29T00:00:00+00:00"),
        ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00+00:00"),
        ("2027-01-31 18:00", "2027-01-31T18:00:00+00:00"),
        ("2027-01-31T18:00:30+02:00", "2027-01-31T16:00:30+00:00"),
    ],
)
def test_a_key_expires_after_a_whole_day_or_at_a_time_in_utc(text: str, moment: str) -> None:
    settings = {"configuration": "f", "keys": json.dumps({"alice": {"expires": text}})}
    expires = read_settings(settings, "gateway").keys["alice"].expires
    assert expires is not None
    assert expires.isoformat() == moment


@pytest.mark.parametrize(
    "expires",
    ["2027-02-30", "2027-1-31", "20270131", "tomorrow", "2027-W05", "9999-12-31", "2027-01-31T25:00", 20270131, True],
)
def test_a_time_at_which_no_key_can_expire_is_refused(expires: object) -> None:
    assert (
        _report({"configuration": "f", "keys": json.dumps({"alice": {"expires": expires}})}, "gateway")
        == f"""stack config: 1 problem

stack config keys.alice.expires
  found:  {expires!r}
  rule:   expires must be a date or a time that exists: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ
  remedy: write for example 2027-01-31, which includes that whole day in UTC, or 2027-01-31T18:00:00Z"""
    )


def test_the_keys_of_one_person_cannot_have_different_limits() -> None:
    keys = {"alice": {"tokens_per_day": 5}, "bob": {"tokens_per_day": 7}, "alice@2": {"tokens_per_day": 6}}
    assert (
        _report({"configuration": "f", "keys": json.dumps(keys)}, "gateway")
        == """stack config: 1 problem

stack config keys
  found:  alice has 5, and alice@2 has 6
  rule:   the keys of one person share their limits, so tokens_per_day must be the same for both
  remedy: write the same number for both keys, or only for one of them; it is then the limit of both"""
    )


def test_every_option_of_a_key_is_checked() -> None:
    keys = {"a": {"runs": "UP", "requests_per_minute": 0}, "b": {"tokens_per_day": -5, "run": "x"}, "c": {"runs": []}}
    assert (
        _report({"configuration": "f", "keys": json.dumps(keys)}, "gateway")
        == """stack config: 5 problems

stack config keys.a.runs
  found:  "UP"
  rule:   a run name must be a DNS label: 1 to 63 characters from a-z, 0-9 and -, without - at either end
  remedy: choose a name such as yellow-cat-1

stack config keys.a.requests_per_minute
  found:  0
  rule:   the number must be at least 1
  remedy: write a larger number

stack config keys.b.run
  found:  an unknown key
  rule:   every key must be known, because a misspelled key would have no effect
  remedy: did you mean `runs`?

stack config keys.b.tokens_per_day
  found:  -5
  rule:   the number must be at least 1
  remedy: write a larger number

stack config keys.c.runs
  found:  a list
  rule:   the list must have 1 or more entries
  remedy: add an entry, or remove the key"""
    )


def test_a_replica_has_a_minute_to_a_day_until_it_serves() -> None:
    given = [
        (text, read_settings({"configuration": "f", "boot_timeout": text}, "service").boot_timeout)
        for text in ("1m", "24h")
    ]
    assert given == [("1m", 60), ("24h", 86400)]
    for text in ("0s", "25h"):
        assert "rule:   boot_timeout must be from 1m to 24h" in _report(
            {"configuration": "f", "boot_timeout": text}, "service"
        )


@pytest.mark.parametrize("keys", ["", "alice,,bob", "al ice", "@2", "a" * 65, "a/b", "é"])
def test_a_key_s_name_is_one_that_outputs_and_the_registry_take(keys: str) -> None:
    assert (
        "a key name must be at most 64 letters, digits, ., _, @ and -, and must begin with a letter or a digit"
        in _report({"configuration": "f", "keys": keys}, "gateway")
    )


def test_variables_of_a_stack_are_set_one_by_one() -> None:
    assert "remedy: set each variable: pulumi config set --path env.NAME VALUE, with --secret for a secret" in _report(
        {"configuration": "f", "env": "A=1,B=2"}, "service"
    )


def test_a_stack_keeps_its_type() -> None:
    with pytest.raises(ConfigurationError) as raised:
        apply_settings(service(SERVICE), GatewaySettings(configuration="f"))
    assert [problem.rule for problem in raised.value.problems] == [
        "a stack cannot change its type, and this is the stack of a gateway"
    ]


def test_run_names_from_elsewhere_are_held_to_the_same_rule() -> None:
    assert check_run_name("yellow-cat-1") == "yellow-cat-1"
    with pytest.raises(ConfigurationError) as raised:
        check_run_name("www", "--name")
    assert (
        str(raised.value)
        == """run name: 1 problem

--name
  found:  'www'
  rule:   a run name must not be gateway, services, v1 or www, because the gateway uses these names
  remedy: choose another name"""
    )
