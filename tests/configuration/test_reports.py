"""What a user reads after the usual mistakes: whole reports, word for word."""

from __future__ import annotations

import pytest

from infra.configuration import loads
from tests.configuration.support import GATEWAY, SERVICE, problems, report


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
  found:  a key that is not known here
  rule:   a misspelt key would do nothing
  remedy: did you mean `port`?

line 4, replicas
  found:  "1..4"
  rule:   replicas that vary need a rule for when they do
  remedy: add `scaling:` with `metric: rps` and `target: …`, or write one number of replicas

line 7, env[1]
  found:  what may be a secret, and is not shown
  rule:   a variable's name has letters, digits and _, and begins with no digit
  remedy: write NAME=value, without spaces around the =

line 11, resources.gpu.cuont
  found:  a key that is not known here
  rule:   a misspelt key would do nothing
  remedy: did you mean `count`?

line 12, resources.memory
  found:  "24 gigs"
  rule:   a size is a number with MB, GB or TB, or a number of GB
  remedy: write for example 24GB

line 15, model.format
  found:  "tgui"
  rule:   the value is one of tgi, openai
  remedy: write tgi"""
    )


def test_what_is_missing() -> None:
    assert (
        report("type: service\ncommands: [a]\n")
        == """serve.dstack.yml: 2 problems

line 1, image
  found:  nothing
  rule:   `image` is required: unlike dstack, servestack has no image of its own
  remedy: add `image: ghcr.io/huggingface/text-generation-inference:latest`

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
  remedy: add `type: service`, or `type: gateway`

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
  rule:   servestack has services and gateways, and a task ends, and what servestack deploys serves until its stack is \
destroyed
  remedy: use dstack for it"""
    )
    assert problems("type: other\nprot: 80\n") == [(1, "type", '"other"', "the type is service or gateway")]


def test_a_misspelt_type_hides_no_other_problem() -> None:
    assert problems("type: sevice\nimage: nginx\nprot: 80\nresources: {gpuu: 24GB}\n") == [
        (1, "type", '"sevice"', "the type is service or gateway"),
        (3, "prot", "a key that is not known here", "a misspelt key would do nothing"),
        (4, "resources.gpuu", "a key that is not known here", "a misspelt key would do nothing"),
    ]


def test_an_empty_file() -> None:
    expected = """serve.dstack.yml: 1 problem

line 1
  found:  nothing but comments, if any
  rule:   a configuration is a map of keys and values
  remedy: begin with `type: service`, or with `type: gateway`"""
    assert [report(text) for text in ("", "\n\n", "# later\n", "---\n", "\ufeff")] == [expected] * 5


def test_a_file_that_is_something_else() -> None:
    assert problems("- type: service\n") == [(1, "", "a list", "a configuration is a map of keys and values")]
    assert problems("HF_TOKEN=hf_secret\n") == [
        (1, "", "a text without keys", "a configuration is a map of keys and values")
    ]


def test_a_key_in_the_wrong_place_is_sent_to_the_right_one() -> None:
    assert (
        report(f"{SERVICE}gpu: 24GB\n")
        == """serve.dstack.yml: 1 problem

line 4, gpu
  found:  a key that is not known here
  rule:   gpu belongs under `resources`
  remedy: move it there"""
    )


def test_a_key_like_none_other_gets_the_list() -> None:
    assert (
        report(f"{GATEWAY}zzz: 1\n")
        == """serve.dstack.yml: 1 problem

line 4, zzz
  found:  a key that is not known here
  rule:   the keys here are type, name, backend, region, domain, certificate, tags
  remedy: remove it, or write one of these"""
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


def test_a_colon_in_a_list_of_variables() -> None:
    assert (
        report(f"{SERVICE}env:\n  - HF_TOKEN: hf_secret\n")
        == """serve.dstack.yml: 1 problem

line 5, env[0]
  found:  what may be a secret, and is not shown
  rule:   an entry of env's list is NAME=value or NAME
  remedy: write `- NAME=value`, with = in place of the colon, or make env a map by removing the dashes"""
    )


def test_variables_in_a_map() -> None:
    assert (
        report(f"{SERVICE}env:\n  DEBUG: true\n  TOKEN:\n  A-B: c\n  LIST: [1]\n")
        == """serve.dstack.yml: 4 problems

line 5, env.DEBUG
  found:  what may be a secret, and is not shown
  rule:   a variable's value is text, and YAML reads true, false, yes, no, on and off as a boolean
  remedy: quote the value

line 6, env.TOKEN
  found:  nothing
  rule:   a variable in a map has a value
  remedy: give it a value, or use the list form, where `- TOKEN` takes it from your environment

line 7, env.A-B
  found:  what may be a secret, and is not shown
  rule:   a variable's name has letters, digits and _, and begins with no digit
  remedy: write the name as the program reads it

line 8, env.LIST
  found:  what may be a secret, and is not shown
  rule:   a variable's value is text
  remedy: write the value on one line, in quotes if need be"""
    )


def test_scaling_and_replicas_go_together() -> None:
    assert problems(f"{SERVICE}scaling: {{metric: rps, target: 1}}\n") == [
        (4, "scaling", "a map", "scaling needs replicas that vary")
    ]
    assert problems(f"{SERVICE}replicas: 4..\nscaling: {{metric: rps, target: 1}}\n") == [
        (4, "replicas", '"4.."', "replicas have an upper bound")
    ]
    assert problems(f"{SERVICE}replicas: 4..1\n") == [
        (4, "replicas", '"4..1"', "the first number of a range is not above the second")
    ]


def test_run_names() -> None:
    assert (
        report(f"{SERVICE}name: Yellow_Cat\n")
        == """serve.dstack.yml: 1 problem

line 4, name
  found:  "Yellow_Cat"
  rule:   a run name is a DNS label: 1 to 63 of a-z, 0-9 and -, with neither end a -
  remedy: choose a name like yellow-cat-1"""
    )
    for name in ("gateway", "services", "v1", "www"):
        assert problems(f"{SERVICE}name: {name}\n") == [
            (
                4,
                "name",
                f'"{name}"',
                "a run name is none of gateway, services, v1, www, which the gateway itself uses",
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
  rule:   a chat template is Jinja that compiles: unexpected end of template, expected 'end of print statement'. \
(line 2 of the chat template)
  remedy: correct it, or remove it for the model's own from the Hub"""
    )


def test_what_is_for_the_other_format_of_models() -> None:
    assert problems(f"{SERVICE}model: {{name: m, format: tgi, prefix: /v1}}\n") == [
        (
            4,
            "model.prefix",
            '"/v1"',
            "prefix is for format: openai, where the container has an OpenAI interface of its own",
        )
    ]
    assert problems(f"{SERVICE}model: {{name: m, format: openai, eos_token: x}}\n") == [
        (4, "model.eos_token", '"x"', "eos_token is for format: tgi, where the gateway writes the prompt")
    ]


@pytest.mark.parametrize("prefix", ["v1", "/v1 x", "/v1?a=b", "/é", "http://h/v1"])
def test_a_prefix_that_is_no_path(prefix: str) -> None:
    rule = "a prefix is a path: it begins with / and is ASCII without spaces, ? or #"
    assert problems(f'{SERVICE}model: {{name: m, format: openai, prefix: "{prefix}"}}\n') == [
        (4, "model.prefix", f'"{prefix}"', rule)
    ]


def test_hosts_of_images_are_for_a_model_that_sees() -> None:
    assert problems(f"{SERVICE}model: {{name: m, image_hosts: [a.example]}}\n") == [
        (4, "model.image_hosts", "a list", "without vision no image is taken, from whatever host")
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
  rule:   gcp is not supported: servestack runs on AWS alone
  remedy: write `backend: aws`

line 3, region
  found:  "useast1"
  rule:   a region is AWS's name of it
  remedy: write for example us-east-1

line 4, domain
  found:  "*.example.com"
  rule:   services answer at <run name>.<domain> anyway
  remedy: write example.com

line 5, certificate
  found:  lets-encrypt
  rule:   lets-encrypt is not supported: API Gateway takes certificates of ACM
  remedy: remove it for a certificate that ACM makes and renews, or write `{type: acm, arn: …}`"""
    )


def test_a_certificate_is_in_the_gateways_region_and_for_a_domain() -> None:
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0f"
    assert problems(f"{GATEWAY}certificate: {{arn: '{arn}'}}\n") == [
        (4, "certificate", "a map", "a certificate needs a domain that it is for"),
        (4, "certificate", "a map", "the certificate is in the gateway's region, and this one is in eu-west-1"),
    ]


def test_numbers_out_of_bounds_say_which_bound() -> None:
    text = f"{SERVICE}max_price: 0\nprobes:\n  - {{type: http, timeout: 0}}\nrate_limits:\n  - {{rps: 1, burst: -1}}\n"
    assert problems(text) == [
        (4, "max_price", "0", "the number is greater than 0"),
        (6, "probes[0].timeout", "0", "the number is at least 1"),
        (8, "rate_limits[0].burst", "-1", "the number is at least 0"),
    ]


def test_a_list_where_text_belongs_and_the_other_way_round() -> None:
    assert problems(f"{SERVICE}commands: echo\nworking_dir: [a]\nresources: 24GB\n") == [
        (4, "commands", '"echo"', "a list is wanted"),
        (5, "working_dir", "a list", "text is wanted"),
        (6, "resources", '"24GB"', "a map is wanted"),
    ]


def test_a_report_obeys_no_terminal_and_stays_short() -> None:
    found = report(f'{SERVICE}"\\e[31m{"k" * 300}": 1\nname: "{"x" * 300}"\n')
    assert "\x1b" not in found
    assert max(len(line) for line in found.splitlines()) < 520
