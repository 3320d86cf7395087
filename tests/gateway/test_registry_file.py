"""The registry's file: read again when it changes, kept when it breaks."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from gateway_lambda.registry.file import FileRegistry, RegistryError
from gateway_lambda.registry.opening import open_registry
from tests.gateway.serving import Bench


def test_a_changed_file_counts_from_the_next_request_on(bench: Bench) -> None:
    bench.register(bench.service())
    assert bench.post(model="new").status_code == 404
    bench.register(bench.service(), bench.service("second", model="new"))
    assert bench.post(model="new").status_code == 200
    bench.register(bench.service())
    assert bench.post(model="new").status_code == 404


@pytest.mark.parametrize("broken", [b"", b"{", b'{"services": 5}', b"[]", b"\xff", b"[" * 100_000])
def test_a_broken_file_leaves_the_last_good_one_and_is_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    assert bench.post().status_code == 200
    with caplog.at_level(logging.ERROR):
        bench.file.write_bytes(broken)
        assert [bench.post().status_code for _ in range(3)] == [200, 200, 200]
    assert (
        len([record for record in caplog.records if "the gateway uses the last good state" in record.getMessage()]) == 1
    )
    bench.register(bench.service(model="other"))
    assert bench.post().status_code == 404


def test_a_file_that_is_gone_leaves_the_last_good_one(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert bench.post().status_code == 200
    with caplog.at_level(logging.ERROR):
        bench.file.unlink()
        assert [bench.post().status_code for _ in range(3)] == [200, 200, 200]
    assert len(caplog.records) == 1
    bench.register(bench.service(model="other"))
    assert bench.post().status_code == 404


def test_one_broken_record_breaks_nothing_else(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        bench.register(bench.service("broken", eos_token={"content": "</s>"}), {"url": "http://x"}, bench.service())
        assert bench.post().status_code == 200
    assert [record.getMessage().partition(": ")[2].partition(":")[0] for record in caplog.records] == [
        "the gateway ignores service 0",
        "the gateway ignores service 1",
    ]


def test_unknown_fields_of_newer_records_are_passed_over(bench: Bench) -> None:
    bench.register({**bench.service(later="x"), "newer": {"a": 1}})
    assert bench.post().status_code == 200


def test_a_templates_error_is_told_and_not_tried_again(bench: Bench) -> None:
    """P48: a record that holds no template that compiles."""
    bench.register(bench.service(chat_template="{% if %}"))
    response = bench.post()
    assert (response.status_code, response.json()["error"]["code"]) == (500, "chat_template_invalid")
    assert response.headers["x-should-retry"] == "false"


def test_a_model_without_a_template_says_so(bench: Bench) -> None:
    service = bench.service()
    del service["model"]["chat_template"]
    bench.register(service)
    assert bench.post().json()["error"]["code"] == "chat_template_invalid"


@pytest.mark.parametrize("content", [None, "", "{", '{"keys": 1}'])
def test_without_a_good_file_to_begin_with_there_is_no_registry(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "registry.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RegistryError, match=str(path)):
        FileRegistry(str(path))


def test_an_unknown_kind_of_registry_is_refused() -> None:
    with pytest.raises(RegistryError, match="'ftp'"):
        open_registry("ftp:x")


def test_records_that_did_not_change_keep_what_was_made_ready_for_them(bench: Bench) -> None:
    """A thousand services that change elsewhere do not make this one start anew: its connection stays."""
    bench.chat()
    for number in range(3):
        bench.register(bench.service(), bench.service(f"other-{number}", model="other"))
        bench.chat()
    assert bench.tgi.connections == 1
    assert [asked.path for asked in bench.tgi.asked].count("/info") == 1


def test_one_of_a_thousand_services_is_found(bench: Bench) -> None:
    bench.register(*(bench.service(f"run-{n}", model=f"m{n}") for n in range(1000)), bench.service())
    assert bench.post().status_code == 200


def test_the_file_is_looked_at_by_its_identity_as_well_as_its_time(bench: Bench) -> None:
    bench.register(bench.service())
    before = os.stat(bench.file)
    assert bench.post().status_code == 200
    changed = json.dumps(bench.registry).replace('"name": "m"', '"name": "n"')
    fresh = bench.file.with_suffix(".new")
    fresh.write_text(changed)
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(bench.file)
    assert bench.post(model="n").status_code == 200
