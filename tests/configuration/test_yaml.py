"""YAML as dstack reads it, and values that YAML reads in a way that nobody means."""

from __future__ import annotations

import pytest

from tests.configuration.support import SERVICE, problems, report, service


def test_a_duplicate_key() -> None:
    assert (
        report(f"{SERVICE}env: {{A: 1}}\nimage: httpd\n")
        == """serve.dstack.yml: 1 problem

line 5, image
  found:  a duplicate key
  rule:   a key must appear once, and this key is also on line 2
  remedy: remove one of the two"""
    )
    assert problems(f"{SERVICE}resources:\n  gpu: {{count: 1, count: 2}}\n")[0][:2] == (5, "resources.gpu.count")


def test_tabs() -> None:
    assert (
        report("type: service\nmodel:\n\tname: m\n")
        == """serve.dstack.yml: 1 problem

line 3
  found:  a tab in the indentation
  rule:   YAML must be indented with spaces
  remedy: replace each tab with spaces"""
    )


def test_broken_syntax_names_the_line_and_shows_nothing_of_it() -> None:
    found = report("type: service\nenv:\n  HF_TOKEN: 'hf_secret\n")
    assert (
        found
        == """serve.dstack.yml: 1 problem

line 4
  found:  while scanning a quoted scalar, found unexpected end of stream
  rule:   a configuration must be YAML
  remedy: check the indentation, colons, quotes and brackets on this line and above it"""
    )
    assert "hf_secret" not in report("type: service\nenv: {A: hf_secret: x}\n")


def test_a_boolean_where_text_belongs() -> None:
    assert (
        report(f"{SERVICE}name: no\n")
        == """serve.dstack.yml: 1 problem

line 4, name
  found:  no, which YAML reads as false
  rule:   this must be text, and YAML reads it as a boolean
  remedy: quote it if you mean text"""
    )
    assert (
        report(f"{SERVICE}spot_policy: on\n")
        == """serve.dstack.yml: 1 problem

line 4, spot_policy
  found:  on, which YAML reads as true
  rule:   the value must be one of spot, on-demand, auto, and YAML reads this as a boolean
  remedy: write one of these"""
    )


def test_a_date_where_text_belongs() -> None:
    assert problems(f"{SERVICE}name: 2024-01-01\n") == [
        (4, "name", "2024-01-01", "this must be text, and YAML reads it as a date")
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("replicas", "on"), ("max_price", "[yes]"), ("resources", "{gpu: true}"), ("resources", "{memory: yes}")],
)
def test_a_boolean_is_no_number(key: str, value: str) -> None:
    """pydantic and dstack would take true for 1."""
    assert len(problems(f"{SERVICE}{key}: {value}\n")) == 1


@pytest.mark.parametrize(
    ("key", "written", "read", "base"),
    [
        ("user", "1000:50", "60050", "digits with colons as base 60"),
        ("user", "0755", "493", "digits after a leading 0 as base 8"),
        ("max_price", "1:30.5", "90.5", "digits with colons as base 60"),
        ("working_dir", "-1:0", "-60", "digits with colons as base 60"),
    ],
)
def test_numbers_in_bases_that_nobody_meant(key: str, written: str, read: str, base: str) -> None:
    assert problems(f"{SERVICE}{key}: {written}\n") == [
        (4, key, f"{written}, which YAML reads as {read}", f"YAML reads {base}")
    ]


def test_a_port_mapping_that_yaml_takes_for_a_time() -> None:
    assert (
        report("type: service\nimage: nginx\nport: 22:22\n")
        == """serve.dstack.yml: 1 problem

line 3, port
  found:  22:22, which YAML reads as 1342
  rule:   YAML reads digits with colons as base 60
  remedy: for text, quote it; for a number, write it in base 10"""
    )
    assert service('type: service\nimage: nginx\nport: "22:22"\n').port == 22


def test_keys_that_are_no_text() -> None:
    found = problems(f"{SERVICE}yes: 1\n8: 1\n? [a]\n: 1\n")
    assert found == [
        (4, "", "yes as a key, which YAML reads as true or false", "a key must be text"),
        (5, "", "8 as a key, which YAML reads as a number", "a key must be text"),
        (6, "", "a list or a map as a key", "a key must be text"),
    ]


def test_several_documents() -> None:
    assert (
        report(f"{SERVICE}---\n{SERVICE}")
        == """serve.dstack.yml: 1 problem

line 4
  found:  a second document
  rule:   a file must hold one configuration, as one YAML document
  remedy: put each document in its own file"""
    )
    assert service(f"%YAML 1.1\n---\n{SERVICE}...\n").port == 80


def test_tags() -> None:
    rule = "a configuration must not contain YAML tags"
    assert problems(f"{SERVICE}name: !!python/object/apply:os.system [ls]\ntags: !!set {{a}}\nuser: !x a\n") == [
        (4, "name", "the YAML tag python/object/apply:os.system", rule),
        (5, "tags", "the YAML tag set", rule),
        (6, "user", "the YAML tag !x", rule),
    ]
    assert service(f"{SERVICE}name: !!str 123\n").name == "123"


def test_anchors_and_merge_keys_mean_what_they_mean_to_dstack() -> None:
    text = f"""{SERVICE}env: &env {{A: "1", B: "2"}}
tags: &tags {{team: a}}
probes:
  - &probe {{type: http, url: /a, timeout: 5}}
  - {{<<: *probe, url: /b}}
  - {{<<: [{{interval: 9}}, *probe], url: /c}}
"""
    read = service(text).probes
    assert read is not None
    assert [(probe.url, probe.timeout, probe.interval) for probe in read] == [
        ("/a", 5, 15),
        ("/b", 5, 15),
        ("/c", 5, 9),
    ]
    assert problems(f"{SERVICE}env: {{<<: 5}}\n") == [
        (4, "env", "a value that is not a map", "a merge key takes only maps")
    ]


def test_an_alias_bomb_is_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )
    ((_, _, _, rule),) = problems(bomb)
    assert rule == "a configuration with expanded aliases must have at most 20,000 values and 40 levels"


def test_a_bomb_of_merge_keys_is_refused_at_once() -> None:
    bomb = "a0: &a0 {k: x}\n" + "".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 30)
    )
    assert "at most 20,000 values" in report(bomb)


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"])
def test_an_alias_that_holds_itself(text: str) -> None:
    assert [problem[2:] for problem in problems(text)] == [
        ("an alias of a value around it", "a value must not contain itself")
    ]


@pytest.mark.parametrize("link", ["[*a{0}]", "{{k: *a{0}}}", "{{<<: *a{0}}}"])
def test_a_long_chain_of_aliases(link: str) -> None:
    chain = "a0: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {link.format(n - 1)}\n" for n in range(1, 3000))
    assert "at most 20,000 values and 40 levels" in report(chain)


def test_an_alias_without_an_anchor() -> None:
    assert problems(f"{SERVICE}name: *who\n") == [(4, "", None, "an alias must name an anchor above it")]


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "? " * 5000, "a:\n" + " [" * 5000])
def test_deep_nesting(text: str) -> None:
    assert "maps and lists can be nested at most 40 levels deep" in report(text)


def test_carriage_returns_and_byte_order_marks_are_read() -> None:
    assert service(f"\ufeff{SERVICE}".replace("\n", "\r\n")) == service(SERVICE)
    assert problems(f"{SERVICE}name: A\n".replace("\n", "\r\n"))[0][0] == 4


def test_bytes_that_are_no_utf_8() -> None:
    assert (
        report(f"{SERVICE}name: caf".encode() + b"\xe9\n")
        == """serve.dstack.yml: 1 problem

line 4
  found:  the byte 0xe9
  rule:   a configuration must be UTF-8 text
  remedy: save the file as UTF-8"""
    )
    assert problems(SERVICE.encode("utf-16"))[0][3] == "a configuration must be UTF-8 text"


def test_control_characters() -> None:
    rule = "YAML must not contain control characters"
    assert problems(f"{SERVICE}name: a\0b\n") == [(4, "", "the character U+0000", rule)]
    assert problems(f"{SERVICE}name: \x1b[31m\n") == [(4, "", "the character U+001B", rule)]


def test_escapes_that_are_no_text() -> None:
    rule = "text must not contain a NUL character or half of a surrogate pair"
    assert problems(f'{SERVICE}name: "a\\0"\nuser: "\\ud800"\n') == [
        (4, "name", "a\0", rule),
        (5, "user", "\ud800", rule),
    ]


def test_numbers_that_are_none() -> None:
    assert problems(f"{SERVICE}name: !!int x\nuser: !!bool maybe\nworking_dir: 2024-13-45\n") == [
        (4, "name", "x", "YAML reads this as a number, but it is not a number"),
        (5, "user", "maybe", "YAML reads this as true or false, but it is not true or false"),
        (6, "working_dir", "2024-13-45", "YAML reads this as a date, but it is not a date"),
    ]
    assert problems(f"{SERVICE}max_price: {'9' * 5000}\n") == [
        (4, "max_price", "9" * 40, "YAML reads this as a number, but it is too long: more than 100 characters")
    ]
    assert problems(f"{SERVICE}max_price: .inf\nresources: {{memory: .nan}}\n") == [
        (4, "max_price", ".inf", "this must be a finite number"),
        (5, "resources.memory", ".nan", "a size must be a number of GB, or a number with MB, GB or TB"),
    ]


def test_a_file_that_is_too_large() -> None:
    assert (
        report(SERVICE + "#" * (256 * 1024))
        == """serve.dstack.yml: 1 problem

  found:  a larger file
  rule:   a configuration must have at most 256 KiB
  remedy: check that this is the right file"""
    )
