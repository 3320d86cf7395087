"""What `pulumi up` of machines without Pulumi prints while it runs."""

from __future__ import annotations

import io
import re
import sys
import threading

import pytest

from cloud.pulumi_command.progress import Progress


class _Heard(io.StringIO):
    """Standard output that tells when a text was written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.heard = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._text in self.getvalue():
            self.heard.set()
        return written


def test_events_are_printed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Updating (web)", patience=1000) as progress:
        for event in (
            "creating Group a",
            "created Group a (0.1 s)",
            "two\nlines",
            "updated Group b (1.0 s)",
            "failed Group c",
        ):
            progress(event)
    progress.summarize()
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        "Updating (web):",
        "  creating Group a",
        "  created Group a (0.1 s)",
        "  two",
        "  lines",
        "  updated Group b (1.0 s)",
        "  failed Group c",
        "Resources:",
        "    + 1 created",
        "    ~ 1 updated",
    ]
    assert last.startswith("Duration: ")


def test_silence_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Heard("still waiting for LoadBalancer web and 1 more")
    monkeypatch.setattr(sys, "stdout", out)
    with Progress("Updating (web)", patience=0.01) as progress:
        for event in ("creating Role a", "failed Role a", "creating LoadBalancer web", "creating Record web"):
            progress(event)
        assert out.heard.wait(60)
    said = [line for line in out.getvalue().splitlines() if "LoadBalancer web and 1 more" in line]
    assert re.fullmatch(r"  still waiting for LoadBalancer web and 1 more, after \d+ s …", said[0])
