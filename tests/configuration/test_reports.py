"""The whole reports that a user reads after common mistakes."""

from __future__ import annotations

import json

import pytest

from infra.configuration import loads
from tests.configuration.support import GATEWAY, SERVICE, problems, report, service


def test_all_problems_of_a_file_come_in_one_report_in_the_order_of_the_file() -> None:
    text = """type: service
image: nginx
prot: 80
replicas: 1..4
env:
  - HF_TOKEN=hf_abcdefgh
  - MODEL ID=x
resources:
  gpu:
    name: A10G
    cuont: 2
  memory: 24 gigs
model:
  name: m
  format: tgui
"""
    assert (
        report(text)
        == """serve.dstack.yml: 6 problems

line 3, prot
  found:  an unknown key
  rule:   every key must be known, because a misspelled key would have no effect
  remedy: did you mean `port`?

line 4, replicas
  found:  "1..4"
  rule:   a range of replicas needs `scaling`
  remedy: add `scaling:` with `metric: rps` and `target: …`, or write a single number

line 7, env[1]
  found:  not shown, because it may be a secret
  rule:   a variable name must contain only letters, digits and _, and must not begin with a digit
  remedy: write NAME=value without spaces around =

line 11, resources.gpu.cuont
  found:  an unknown key
  rule:   every key must be known, because a misspelled key would have no effect
  remedy: did you mean `count`?

line 12, resources.memory
  found:  "24 gigs"
  rule:   a size must be a number of GB, or a number with MB, GB or TB
  remedy: write a size such as 24GB

line 15, model.format
  found:  "tgui"
  rule:   the value must be one of tgi, openai
  remedy: write tgi"""
    )


def test_what_is_missing() -> None:
    assert (
        report("type: service\ncommands: [a]\n")
        == """serve.dstack.yml: 1 problem

line 1, port
  found:  nothing
  rule:   `port` is required
  remedy: add `port: 80`"""
    )


def test_a_file_without_a_type() -> None:
    assert (
        report("image: nginx\n")
        == """serve.dstack.yml: 2 problems

line 1, type
  found:  nothing
  rule:   `type` is required: service or gateway
  remedy: add `type: service` or `type: gateway`

line 1, port
  found:  nothing
  rule:   `port` is required
  remedy: add `port: 80`"""
    )
    assert [problem[1] for problem in problems("backend: aws\nregion: 1\n")] == ["type", "region"]


def test_types_of_dstacks_that_are_not_served() -> None:
    assert (
        report("type: task\ncommands: [a]\n")
        == """serve.dstack.yml: 1 problem

line 1, type
  found:  "task"
  rule:   type task is not supported: a task ends by itself, and servestack deploys only services, which run until \
you destroy their stack
  remedy: use dstack for this configuration"""
    )
    assert problems("type: other\nprot: 80\n") == [(1, "type", '"other"', "the type must be service or gateway")]


def test_a_misspelt_type_hides_no_other_problem() -> None:
    assert problems("type: sevice\nimage: nginx\nprot: 80\nresources: {gpuu: 24GB}\n") == [
        (1, "type", '"sevice"', "the type must be service or gateway"),
        (3, "prot", "an unknown key", "every key must be known, because a misspelled key would have no effect"),
        (
            4,
            "resources.gpuu",
            "an unknown key",
            "every key must be known, because a misspelled key would have no effect",
        ),
    ]


def test_an_empty_file() -> None:
    expected = """serve.dstack.yml: 1 problem

line 1
  found:  no keys and values
  rule:   a configuration must be a map of keys and values
  remedy: begin the file with `type: service` or `type: gateway`"""
    assert [report(text) for text in ("", "\n\n", "# later\n", "---\n", "\ufeff")] == [expected] * 5


def test_a_file_that_is_something_else() -> None:
    assert problems("- type: service\n") == [(1, "", "a list", "a configuration must be a map of keys and values")]
    assert problems("HF_TOKEN=hf_secret\n") == [
        (1, "", "text without keys", "a configuration must be a map of keys and values")
    ]


def test_a_key_in_the_wrong_place_is_sent_to_the_right_one() -> None:
    assert (
        report(f"{SERVICE}gpu: 24GB\n")
        == """serve.dstack.yml: 1 problem

line 4, gpu
  found:  an unknown key
  rule:   gpu belongs under `resources`
  remedy: move it there"""
    )


def test_a_key_like_none_other_gets_the_list() -> None:
    assert (
        report(f"{GATEWAY}zzz: 1\n")
        == """serve.dstack.yml: 1 problem

line 4, zzz
  found:  an unknown key
  rule:   the keys here are type, name, backend, region, domain, certificate, instance_type, replicas, tags
  remedy: remove it, or write one of these keys"""
    )


def test_a_misspelt_key_at_every_level_names_the_nearest() -> None:
    text = f"""{SERVICE}modle: m
ports: 80
spot-policy: auto
model:
  nane: m
  limits: {{max_inputs: 1}}
resources:
  gpus: 1
  disk: {{Size: 100}}
probes:
  - {{type: http, intervall: 5}}
rate_limits:
  - {{rps: 1, key: {{typ: ip_address}}}}
registry_auth: {{user: a, password: b}}
volumes:
  - {{instance_pth: /a, path: /b}}
"""
    found = report(text)
    for meant in (
        *("model", "port", "spot_policy", "name", "max_input", "gpu", "size", "interval", "type", "username"),
        "instance_path",
    ):
        assert f"did you mean `{meant}`?" in found, meant
    assert "is required" not in found, "what a misspelt key was meant to be is not missing too"


def test_a_colon_in_a_command() -> None:
    command = "vllm serve a/b --limit-mm-per-prompt '{\"image\": 4}'"
    assert (
        report(f"{SERVICE}commands:\n  - {command}\n")
        == """serve.dstack.yml: 1 problem

line 5, commands[0]
  found:  a map
  rule:   this must be text, and YAML reads a text with a colon and a space in it as a map
  remedy: put the whole text in quotes, or write it on lines of its own below `>-`"""
    )
    assert service(f"{SERVICE}commands:\n  - >-\n    {command}\n").commands == (command,)


def test_a_colon_in_a_list_of_variables() -> None:
    assert (
        report(f"{SERVICE}env:\n  - HF_TOKEN: hf_secret\n")
        == """serve.dstack.yml: 1 problem

line 5, env[0]
  found:  not shown, because it may be a secret
  rule:   an entry of the env list must be NAME=value or NAME
  remedy: write `- NAME=value` with = instead of the colon, or remove the dashes to make env a map"""
    )


def test_variables_in_a_map() -> None:
    assert (
        report(f"{SERVICE}env:\n  DEBUG: true\n  TOKEN:\n  A-B: c\n  LIST: [1]\n")
        == """serve.dstack.yml: 4 problems

line 5, env.DEBUG
  found:  not shown, because it may be a secret
  rule:   a variable's value must be text, and YAML reads true, false, yes, no, on and off as booleans
  remedy: quote the value

line 6, env.TOKEN
  found:  nothing
  rule:   a variable in a map must have a value
  remedy: write a value, or make env a list, where `- TOKEN` takes the value from your environment

line 7, env.A-B
  found:  not shown, because it may be a secret
  rule:   a variable name must contain only letters, digits and _, and must not begin with a digit
  remedy: write the name that the program in the container reads

line 8, env.LIST
  found:  not shown, because it may be a secret
  rule:   a variable's value must be text
  remedy: write the value as one line of text, in quotes"""
    )


def test_scaling_and_replicas_go_together() -> None:
    assert problems(f"{SERVICE}scaling: {{metric: rps, target: 1}}\n") == [
        (4, "scaling", "a map", "`scaling` needs a range of replicas")
    ]
    assert problems(f"{SERVICE}replicas: 4..\nscaling: {{metric: rps, target: 1}}\n") == [
        (4, "replicas", '"4.."', "a range of replicas must have an upper bound")
    ]
    assert problems(f"{SERVICE}replicas: 4..1\n") == [
        (4, "replicas", '"4..1"', "the first number of a range must not be larger than the second")
    ]


def test_run_names() -> None:
    assert (
        report(f"{SERVICE}name: Yellow_Cat\n")
        == """serve.dstack.yml: 1 problem

line 4, name
  found:  "Yellow_Cat"
  rule:   a run name must be a DNS label: 1 to 63 characters from a-z, 0-9 and -, without - at either end
  remedy: choose a name such as yellow-cat-1"""
    )
    for name in ("gateway", "services", "v1", "www"):
        assert problems(f"{SERVICE}name: {name}\n") == [
            (
                4,
                "name",
                f'"{name}"',
                "a run name must not be gateway, services, v1 or www, because the gateway uses these names",
            )
        ]
    assert problems(f"{SERVICE}name: {'a' * 64}\n")[0][1] == "name"


def test_a_chat_template_that_does_not_compile() -> None:
    text = f"{SERVICE}model:\n  name: m\n  chat_template: |\n    {{% for m in messages %}}\n    {{{{ m.content\n"
    assert (
        report(text)
        == """serve.dstack.yml: 1 problem

line 6, model.chat_template
  found:  "{% for m in messages %}\\n{{ m.content\\n"
  rule:   a chat template must be Jinja that compiles: unexpected end of template, expected 'end of print statement'. \
(line 2 of the chat template)
  remedy: correct the template, or remove it to use the template from the Hub"""
    )


def test_what_is_for_the_other_format_of_models() -> None:
    assert problems(f"{SERVICE}model: {{name: m, format: tgi, prefix: /v1}}\n") == [
        (
            4,
            "model.prefix",
            '"/v1"',
            "prefix works only with `format: openai`, where the model server has its own OpenAI API",
        )
    ]
    assert problems(f"{SERVICE}model: {{name: m, format: openai, eos_token: x}}\n") == [
        (4, "model.eos_token", '"x"', "eos_token works only with `format: tgi`, where the gateway writes the prompt")
    ]


@pytest.mark.parametrize("prefix", ["v1", "/v1 x", "/v1?a=b", "/é", "http://h/v1"])
def test_a_prefix_that_is_no_path(prefix: str) -> None:
    rule = "a prefix must be a path that begins with / and has only ASCII characters, without spaces, ? and #"
    assert problems(f'{SERVICE}model: {{name: m, format: openai, prefix: "{prefix}"}}\n') == [
        (4, "model.prefix", f'"{prefix}"', rule)
    ]


def test_hosts_of_images_are_for_a_model_that_sees() -> None:
    assert problems(f"{SERVICE}model: {{name: m, image_hosts: [a.example]}}\n") == [
        (
            4,
            "model.image_hosts",
            "a list",
            "image_hosts works only with `vision: true`: otherwise, the gateway accepts no images",
        )
    ]


def test_an_openai_compatible_server_takes_nothing_that_only_the_gateway_could_do() -> None:
    given = "tools: off, max_n: 3, stop_strings: [x], limits: {max_input: 5}, clamp_max_tokens: true"
    assert [where for _, where, _, _ in problems(f"{SERVICE}model: {{name: m, format: openai, {given}}}\n")] == [
        f"model.{key}" for key in ("tools", "max_n", "stop_strings", "limits", "clamp_max_tokens")
    ]
    handed_on = "prefix: /api, hub_repo: org/m, upstream_api_key: k, max_n: 8, image_hosts: [], vision: false"
    loads(f"{SERVICE}model: {{name: m, format: openai, {handed_on}}}\n", "serve.dstack.yml")


def test_a_gateways_mistakes() -> None:
    text = """type: gateway
backend: gcp
region: useast1
domain: "*.example.com"
certificate:
  type: lets-encrypt
"""
    assert (
        report(text)
        == """serve.dstack.yml: 4 problems

line 2, backend
  found:  "gcp"
  rule:   gcp is not supported: servestack runs only on AWS
  remedy: write `backend: aws`

line 3, region
  found:  "useast1"
  rule:   a region must be an AWS region name
  remedy: write a region such as us-east-1

line 4, domain
  found:  "*.example.com"
  rule:   a domain must not begin with `*.`: runs answer at <run name>.<domain>
  remedy: write example.com

line 5, certificate
  found:  lets-encrypt
  rule:   lets-encrypt is not supported: API Gateway uses certificates from ACM
  remedy: remove it to let ACM create and renew a certificate, or write `{type: acm, arn: …}`"""
    )


def test_a_certificate_is_in_the_gateways_region_and_for_a_domain() -> None:
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0f"
    assert problems(f"{GATEWAY}certificate: {{arn: '{arn}'}}\n") == [
        (4, "certificate", "a map", "a gateway with a certificate must have a domain"),
        (
            4,
            "certificate",
            "a map",
            "the certificate must be in the gateway's region, and this certificate is in eu-west-1",
        ),
    ]


def test_numbers_out_of_bounds_say_which_bound() -> None:
    text = f"{SERVICE}max_price: 0\nprobes:\n  - {{type: http, timeout: 0}}\nrate_limits:\n  - {{rps: 1, burst: -1}}\n"
    assert problems(text) == [
        (4, "max_price", "0", "the number must be greater than 0"),
        (6, "probes[0].timeout", "0", "the number must be at least 1"),
        (8, "rate_limits[0].burst", "-1", "the number must be at least 0"),
    ]


def test_rate_limits_name_their_paths_and_headers_in_words() -> None:
    text = f"{SERVICE}rate_limits:\n  - {{prefix: api, rps: 1}}\n  - {{rps: 1, key: {{type: header, header: X Y}}}}\n"
    assert (
        report(text)
        == """serve.dstack.yml: 2 problems

line 5, rate_limits[0].prefix
  found:  "api"
  rule:   a prefix must begin with / and must not contain spaces, \\, { or }
  remedy: write a path such as /v1

line 6, rate_limits[1].key.header
  found:  "X Y"
  rule:   a header name must contain only letters, digits, - and _
  remedy: write a name such as X-Api-Key"""
    )


def test_an_empty_text_is_not_called_a_list() -> None:
    assert problems(f'{SERVICE}image: ""\nmodel: {{name: m, tools: ""}}\n'.replace("image: nginx\n", "")) == [
        (3, "image", '""', "the text must not be empty"),
        (4, "model.tools", '""', "the text must not be empty"),
    ]


def test_an_entrypoint_that_no_shell_can_split() -> None:
    for entrypoint in ("sh -c 'serve", "serve\\"):
        assert problems(f"{SERVICE}entrypoint: {entrypoint}\n") == [
            (
                4,
                "entrypoint",
                json.dumps(entrypoint),
                "an entrypoint must be a command line that a shell can split into words",
            )
        ]


def test_a_list_where_text_belongs_and_the_other_way_round() -> None:
    assert problems(f"{SERVICE}commands: echo\nworking_dir: [a]\nresources: 24GB\n") == [
        (4, "commands", '"echo"', "this must be a list"),
        (5, "working_dir", "a list", "this must be text"),
        (6, "resources", '"24GB"', "this must be a map"),
    ]


def test_a_report_obeys_no_terminal_and_stays_short() -> None:
    found = report(f'{SERVICE}"\\e[31m{"k" * 300}": 1\nname: "{"x" * 300}"\n')
    assert "\x1b" not in found
    assert max(len(line) for line in found.splitlines()) < 520
