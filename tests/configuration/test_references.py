"""References such as `${{ env.NAME }}`: filled where dstack fills them, refused elsewhere, never passed on."""

from __future__ import annotations

import pytest

from infra.configuration import Problem, Secret, fill_environment, fill_references
from tests.configuration.support import SERVICE, problems, report, service

TEXT = f"""{SERVICE}env: [USER_NAME=alice, PASSWORD]
registry_auth:
  username: ${{{{ env.USER_NAME }}}}
  password: ${{{{env.PASSWORD}}}}
model: {{name: m, upstream_api_key: "k-${{{{ env.PASSWORD }}}}"}}
probes:
  - type: http
    url: /health/${{{{ env.USER_NAME }}}}
    body: $${{{{ env.USER_NAME }}}}
    headers: [{{name: Authorization, value: "Bearer ${{{{ env.PASSWORD }}}}"}}]
"""


def test_references_are_filled_once_all_values_are_known() -> None:
    found: list[Problem] = []
    filled = fill_references(service(TEXT), {"USER_NAME": "alice", "PASSWORD": Secret("s3cret")}, {}, found)
    assert found == []
    assert filled == service(
        TEXT.replace("${{ env.USER_NAME }}\n  password", "alice\n  password")
        .replace("${{env.PASSWORD}}", "s3cret")
        .replace("${{ env.PASSWORD }}", "s3cret")
        .replace("/health/${{ env.USER_NAME }}", "/health/alice")
    ).changed({"probes": filled.probes})
    assert filled.probes is not None
    (probe,) = filled.probes
    assert (probe.url, probe.body, probe.headers[0].value) == ("/health/alice", "${{ env.USER_NAME }}", "Bearer s3cret")


def test_a_name_that_is_no_variable_is_a_problem_with_its_line() -> None:
    found: list[Problem] = []
    fill_references(service(TEXT), {"USER_NAME": "alice"}, {}, found)
    assert found[0] == Problem(
        where="registry_auth.password",
        line=7,
        rule="PASSWORD is not an environment variable of the service",
        remedy="add `- PASSWORD` to env",
    )
    assert [problem.where for problem in found[1:]] == ["model.upstream_api_key", "probes[0].headers[0].value"]


def test_a_secret_in_a_probe_s_address_is_a_problem_that_does_not_show_it() -> None:
    text = f"{SERVICE}env: [KEY]\nprobes: [{{type: http, url: '/health?a=${{{{ env.KEY }}}}&b=${{{{ env.NONE }}}}'}}]\n"
    found: list[Problem] = []
    filled = fill_references(service(text), {"KEY": Secret("s3cret")}, {}, found)
    assert [(problem.where, problem.line) for problem in found] == [("probes[0].url", 5)] * 2
    assert [problem.rule for problem in found] == [
        "KEY is a secret and must not be in a probe's url, which everyone with access to the load balancer can read",
        "NONE is not an environment variable of the service",
    ]
    assert "s3cret" not in f"{found}{filled.probes}"


def test_a_value_is_not_read_again() -> None:
    found: list[Problem] = []
    filled = fill_references(service(TEXT), {"USER_NAME": "${{ env.PASSWORD }}", "PASSWORD": Secret("x")}, {}, found)
    assert filled.registry_auth is not None
    assert filled.registry_auth.username == "${{ env.PASSWORD }}"


ALONE = "references work only in env, commands, image, registry_auth, probes and model.upstream_api_key"
FORM = "a reference must have the form ${{ env.NAME }} or ${{ secrets.NAME }}"
LOGIN = "registry_auth: {username: a, password: "


@pytest.mark.parametrize(
    ("line", "where", "found", "rule"),
    [
        ("env: ['A=${{ secret.x }}']", "env[0]", "${{ secret.x }}", FORM),
        ("env: {A: '${{ env.B.C }}'}", "env.A", "${{ env.B.C }}", FORM),
        ("commands: ['x ${{ run.args }}']", "commands[0]", "${{ run.args }}", "run arguments are not supported"),
        ("commands: ['${{ groups[0].replicas[0].IP_ADDRESS }}']", "commands[0]", "a reference", FORM),
        (f"{LOGIN}'${{{{ env.p'}}", "registry_auth.password", "${{", "a reference must end with }}"),
        ("working_dir: /${{ env.A }}", "working_dir", "${{ env.A }}", ALONE),
        ("entrypoint: x ${{ env.A }}", "entrypoint", "${{ env.A }}", ALONE),
    ],
)
def test_other_references_are_refused(line: str, where: str, found: str, rule: str) -> None:
    assert problems(f"{SERVICE}{line}\n") == [(4, where, found, rule)]


def test_a_secret_of_stack_config_stands_in_env_and_in_credentials() -> None:
    text = f"""{SERVICE}env: {{TOKEN: "hf_${{{{ secrets.hf }}}}", COPY: "${{{{ env.TOKEN }}}}", PLAIN: a$$b}}
registry_auth: {{username: x, password: "${{{{ secrets.login }}}}"}}
probes: [{{type: http, body: "${{{{ secrets.hf }}}}", method: post}}]
"""
    found: list[Problem] = []
    read, secrets = service(text), {"hf": Secret("s3cret"), "login": Secret("p")}
    given = {name: value for name, value in read.env.items() if value is not None}
    values = fill_environment(read, given, secrets, found)
    filled = fill_references(read, values, secrets, found)
    assert found == []
    assert values == {"TOKEN": Secret("hf_s3cret"), "COPY": Secret("hf_s3cret"), "PLAIN": "a$$b"}
    assert filled.registry_auth is not None
    assert filled.registry_auth.password == Secret("p")
    assert filled.probes is not None
    assert filled.probes[0].body == "s3cret"


def test_a_variable_stands_in_commands_and_in_the_image() -> None:
    text = "type: service\nport: 80\nimage: nginx:${{ env.TAG }}\nenv: [TAG=1.27]\ncommands: ['x ${{env.TAG}} $TAG']\n"
    found: list[Problem] = []
    filled = fill_references(service(text), {"TAG": "1.27"}, {}, found)
    assert (filled.image, filled.commands, found) == ("nginx:1.27", ("x 1.27 $TAG",), [])


def test_an_image_is_checked_when_its_references_are_filled() -> None:
    found: list[Problem] = []
    text = "type: service\nport: 80\nimage: nginx:${{ env.A }}\nenv: [A=b c]\n"
    fill_references(service(text), {"A": "b c"}, {}, found)
    rule = "an image can have one tag of at most 128 letters, digits, _, . and -, which must not begin with . or -"
    remedy = "write an image such as nginx:1.27 or ghcr.io/org/server:v1"
    assert found == [Problem(where="image", line=3, found="nginx:b c", rule=rule, remedy=remedy)]


def test_a_secret_never_stands_where_others_can_read_it() -> None:
    text = (
        "type: service\nport: 80\nimage: x:${{ secrets.tag }}\nenv: [KEY]\n"
        "commands: ['x ${{ secrets.tag }}', 'y ${{ env.KEY }}']\n"
    )
    found: list[Problem] = []
    filled = fill_references(service(text), {"KEY": Secret("s3cret")}, {"tag": Secret("s3cret")}, found)
    assert [
        (problem.where, problem.line, problem.rule, problem.remedy) for problem in found if "secret" in problem.rule
    ] == [
        (
            "image",
            3,
            "tag is a secret and must not be in image, which is in the machine's user data",
            "write the value; for a login, use registry_auth",
        ),
        (
            "commands[0]",
            5,
            "tag is a secret and must not be in commands, which are in the machine's user data",
            "write `- tag=${{ secrets.tag }}` in env, and $tag in the command",
        ),
        (
            "commands[1]",
            5,
            "KEY is a secret and must not be in commands, which are in the machine's user data",
            "write $KEY in the command",
        ),
    ]
    assert "s3cret" not in f"{found}{filled}"


def test_a_name_that_nothing_has_is_a_problem_with_its_remedy() -> None:
    text = f"{SERVICE}env: {{A: '${{{{ env.B }}}}', C: '${{{{ secrets.d }}}}'}}\n"
    found: list[Problem] = []
    read = service(text)
    fill_environment(read, {"A": "${{ env.B }}", "C": "${{ secrets.d }}"}, {}, found)
    assert [(problem.where, problem.rule, problem.remedy) for problem in found] == [
        ("env.A", "B is not an environment variable of the service", "add `- B` to env"),
        (
            "env.C",
            "d is not a secret in stack config",
            "set it: pulumi config set --secret --path secrets.d …, or on the command line --secret d=…",
        ),
    ]


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"A": "${{ env.A }}"}, "A refers to itself"),
        ({"A": "${{ env.B }}", "B": "${{ env.A }}"}, "B and A refer to each other"),
    ],
)
def test_variables_do_not_refer_to_each_other_in_a_circle(values: dict[str, str], rule: str) -> None:
    found: list[Problem] = []
    fill_environment(service(f"{SERVICE}env: {{A: x, B: y}}\n"), dict(values), {}, found)
    assert rule in [problem.rule for problem in found]


def test_references_lead_neither_through_many_variables_nor_to_a_value_without_end() -> None:
    chain = {f"A{n}": f"${{{{ env.A{n + 1} }}}}" for n in range(600)} | {"A600": "x"}
    doubling = {f"A{n}": f"${{{{ env.A{n + 1} }}}}" * 2 for n in range(19)} | {"A19": "x" * 1000}
    rules: list[str] = []
    for values in (chain, doubling):
        found: list[Problem] = []
        fill_environment(service(f"{SERVICE}env: {{A0: x}}\n"), dict(values), {}, found)
        rules.append(found[0].rule)
    assert rules == [
        "A20 is reached through more than 20 variables that refer to each other",
        "with its references replaced, the value has more than 65536 characters",
    ]


def test_a_value_of_the_caller_or_of_stack_config_is_taken_as_it_is() -> None:
    found: list[Problem] = []
    values = fill_environment(service(f"{SERVICE}env: [A]\n"), {"A": Secret("${{ env.B }}")}, {}, found)
    assert (values, found) == ({"A": Secret("${{ env.B }}")}, [])


def test_an_escaped_reference_is_the_text_itself() -> None:
    read = service(f"{SERVICE}env: {{A: 'x $${{{{ y }}}}'}}\ncommands: ['echo $${{{{ y }}}} $$']\n")
    found: list[Problem] = []
    values = fill_environment(read, {"A": str(read.env["A"])}, {}, found)
    assert (values["A"], fill_references(read, values, {}, found).commands, found) == (
        "x ${{ y }}",
        ("echo ${{ y }} $$",),
        [],
    )


def test_a_chat_template_is_jinja_and_has_no_references() -> None:
    read = service(f"{SERVICE}model: {{name: m, chat_template: 'a ${{{{ x }}}}'}}\n")
    assert read.model is not None
    assert read.model.chat_template == "a ${{ x }}"


@pytest.mark.parametrize("written", ["$TOKEN", "${TOKEN}", " $TOKEN "])
@pytest.mark.parametrize("key", ["username", "password"])
def test_a_variable_of_a_shell_is_no_credential(key: str, written: str) -> None:
    other = {"username": "password", "password": "username"}[key]
    text = f"{SERVICE}env: [TOKEN]\nregistry_auth:\n  {other}: x\n  {key}: '{written}'\n"
    assert report(text) == (
        f"serve.dstack.yml: 1 problem\n\nline 7, registry_auth.{key}\n  found:  $TOKEN\n"
        "  rule:   no shell reads this value, so the text itself would be the credential\n"
        "  remedy: write ${{ env.TOKEN }}, and `- TOKEN` under env"
    )


@pytest.mark.parametrize("env", ["[my_token=x]", "[my_token]", "{my_token: x}"])
def test_a_variable_in_lower_case_is_known_by_env(env: str) -> None:
    text = f"{SERVICE}env: {env}\nmodel: {{name: m, upstream_api_key: $my_token}}\n"
    assert [problem[:3] for problem in problems(text)] == [(5, "model.upstream_api_key", "$my_token")]


@pytest.mark.parametrize("login", ["{username: $oauthtoken, password: x}", "{username: x, password: $ecret$1}"])
def test_a_credential_that_only_looks_like_a_variable_is_taken(login: str) -> None:
    assert service(f"{SERVICE}registry_auth: {login}\n").registry_auth is not None
