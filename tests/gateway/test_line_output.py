"""Where request lines go: a file of limited size, or stdout; and what happens where they cannot be written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_lambda.monitoring.line_output import LineFile, LineOutput, open_output
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings, SettingsError
from tests.gateway.request_lines import Lines, expected
from tests.gateway.serving import HI, Bench
from tests.gateway.test_process import process
from tests.support.processes import wait_until

CHAT = {"model": "m", "messages": HI}


def numbered(number: int) -> bytes:
    return b'{"number": %d, "more": "%s"}\n' % (number, b"x" * 70)


def write(output: LineFile, *numbers: int) -> None:
    """Write these lines one by one."""

    async def writing() -> None:
        for number in numbers:
            output.write(numbered(number))
            output.flush()

    asyncio.run(writing())


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_bytes().splitlines()]


def test_a_full_file_loses_its_older_half_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "lines"
    each = len(numbered(1000))
    output = LineFile(str(path), most=10 * each)
    with caplog.at_level(logging.WARNING):
        write(output, *range(1000, 1010))
        assert (numbers(path), caplog.messages) == ([*range(1000, 1010)], [])
        write(output, 1010)
    assert numbers(path) == [*range(1006, 1011)]
    assert caplog.messages == [f"{path} was full: the older half of its request lines is gone"]
    for number in range(1011, 1100):
        write(output, number)
        assert path.stat().st_size <= 10 * each
    output.close()
    assert numbers(path)[-1] == 1099
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lines"]


def test_the_lines_of_an_earlier_process_stay_and_count(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    for number in (1, 2):
        output = LineFile(str(path), most=3 * len(numbered(1)))
        write(output, number)
        output.close()
    output = LineFile(str(path), most=3 * len(numbered(1)))
    write(output, 3, 4)
    output.close()
    assert numbers(path) == [3, 4]


def test_the_lines_of_a_moment_are_one_write_and_none_is_lost_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    output = LineFile(str(path))
    sizes: list[int] = []

    async def writing() -> None:
        for number in (1000, 1001, 1002):
            output.write(numbered(number))
        sizes.append(path.stat().st_size)
        while not path.stat().st_size:  # noqa: ASYNC110
            await asyncio.sleep(0)
        sizes.append(path.stat().st_size)
        output.write(numbered(1003))

    asyncio.run(writing())
    output.close()
    assert sizes == [0, 3 * len(numbered(1000))]
    assert numbers(path) == [1000, 1001, 1002, 1003]


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    LineFile(str(tmp_path / "lines")).close()
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_is_said_once_until_it_can_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe without a reader, then with one."""
    reading, writing = os.pipe()
    os.close(reading)
    output = LineOutput(writing)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            output.write(b"{}\n")
        reading, again = os.pipe()
        os.dup2(again, writing)
        os.close(again)
        output.write(b"{}\n")
        assert os.read(reading, 99) == b"{}\n"
        os.close(reading)
        output.write(b"{}\n")
    os.close(writing)
    assert caplog.messages == ["request lines cannot be written, and are lost: Broken pipe"] * 2


def test_a_line_of_which_a_part_was_written_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The pipe has room for a part of it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    room = os.write(writing, b"x" * 10_000_000)
    os.read(reading, room // 2)
    output = LineOutput(writing)
    output.write(b"y" * room)
    with contextlib.suppress(BlockingIOError):
        while os.read(reading, room):
            pass
    output.write(b"{}\n")
    assert os.read(reading, 99) == b"\n{}\n"
    os.close(reading)
    os.close(writing)


def test_a_file_that_cannot_become_smaller_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its folder is gone. One line is lost, which is logged, and the descriptor still takes the next."""
    folder = tmp_path / "folder"
    folder.mkdir()
    output = LineFile(str(folder / "lines"), most=2 * len(numbered(1)))
    write(output, 1, 2)
    (folder / "lines").unlink()
    with caplog.at_level(logging.WARNING):
        write(output, 3, 4)
    output.close()
    assert caplog.messages == ["request lines cannot be written, and are lost: No such file or directory"]


def test_a_file_that_cannot_be_opened_is_an_error_at_the_start(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "lines")
    with pytest.raises(SettingsError) as caught:
        open_output(Settings(registry="file:x", request_lines=path))
    assert str(caught.value) == (
        f"GATEWAY_REQUEST_LINES={path!r}: No such file or directory; use the path of a file that the gateway can write"
    )
    (tmp_path / "registry").write_text("{}")
    given = {**os.environ, "GATEWAY_REGISTRY": f"file:{tmp_path / 'registry'}", "GATEWAY_REQUEST_LINES": path}
    ended = subprocess.run([sys.executable, "-m", "gateway_lambda"], env=given, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"gateway: {caught.value}\n")


def test_without_the_setting_a_file_registry_has_no_lines_and_a_table_has_them_on_stdout(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    assert open_output(Settings(registry="file:x")) is None
    bench.serve(registry="dynamodb:gateway-table-1")
    assert bench.post().status_code == 200
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    line = json.loads(out)
    assert (line["Table"], line["Run"], line["route"]) == ("gateway-table-1", "run", "POST /v1/chat/completions")


def test_a_write_that_fails_fails_no_request(bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`/dev/full` takes nothing."""
    with caplog.at_level(logging.WARNING):
        bench.serve(request_lines="/dev/full")
        for _ in range(3):
            assert bench.post().status_code == 200
        assert [event for event in bench.events() if event == "[DONE]"] == ["[DONE]"]
        wait_until(lambda: bool(caplog.messages), what="a warning")
    assert caplog.messages == ["request lines cannot be written, and are lost: No space left on device"]


def test_the_process_writes_the_file_that_the_variable_names(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with process(bench, GATEWAY_REQUEST_LINES=str(path)) as (started, url):
        assert httpx.post(f"{url}/v1/chat/completions", json=CHAT).status_code == 200
        started.terminate()
        started.wait(20)
        (line,) = path.read_text().splitlines()
    assert json.loads(line)["CompletionTokens"] == 4


def test_a_listener_that_fails_changes_no_answer_and_hides_no_other(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("gateway_lambda.monitoring.tallies.Tallies.note", fail)
    monkeypatch.setattr("gateway_lambda.app.RequestLines.note", fail)
    written: list[str] = []
    monkeypatch.setattr("gateway_lambda.monitoring.request_log._LOG.info", lambda *_: written.append("console"))
    bench.serve(request_lines=str(tmp_path / "lines"), log_requests=1)
    assert bench.post().status_code == 200
    failures = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [message.partition(": ")[2] for message in failures] == ["what follows its end failed"] * 2
    assert written == ["console"]


def test_a_listener_is_waited_for_before_the_answer_ends(bench: Bench, tmp_path: Path) -> None:
    """So that a function is not frozen before it is done."""
    lines = Lines(bench, tmp_path / "lines")
    told: list[Exchange] = []

    async def listen(exchange: Exchange) -> None:
        told.append(exchange)

    assert bench.server is not None
    application: Any = bench.server.config.app
    application._listeners.append(lambda exchange: listen(exchange))
    assert bench.post().status_code == 200
    assert [(one.run, one.key, one.model, one.usage and one.usage.completion_tokens) for one in told] == [
        ("run", None, "m", 4)
    ]
    assert lines.new() == [
        expected("POST /v1/chat/completions", Run="run", PromptTokens=7, CompletionTokens=4),
    ]
