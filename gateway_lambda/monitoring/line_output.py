"""Where lines of JSON go: stdout on AWS, where it is the function's log, or a file of limited size."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys

from gateway_lambda.settings import Settings, SettingsError

_LOG = logging.getLogger(__name__)
_STDOUT = 1
_MOST = 20_000_000
"""Bytes of a file: about 25,000 requests."""
_DELAY = 0.1
"""Seconds that lines wait for others. Appending to a file costs a busy gateway more than making the line."""


def open_output(settings: Settings) -> LineOutput | None:
    """Return where the lines go; None: nowhere. Raises `SettingsError`."""
    if not settings.request_lines:
        return LineOutput(_STDOUT) if settings.table else None
    try:
        return LineFile(settings.request_lines)
    except OSError as problem:
        raise SettingsError(
            f"GATEWAY_REQUEST_LINES={settings.request_lines!r}: {problem.strerror}; use the path of a file that the "
            "gateway can write"
        ) from None


class LineOutput:
    """Takes whole lines, and writes each in one piece, so that lines of several writers do not mix."""

    def __init__(self, descriptor: int, size: int = 0, most: int = sys.maxsize) -> None:
        self._descriptor = descriptor
        self._size = size
        self._most = most
        self._failing = self._torn = False
        """The last write failed, or only a part of its line was written."""

    def write(self, line: bytes) -> None:
        """Write a line, which ends with a line feed. It raises nothing: what cannot be written is lost, which is logged
        once for failures in a row."""
        try:
            self._size += len(line)
            if self._size > self._most:
                self._make_room(line)
            if self._torn:
                line = b"\n" + line
            self._torn = os.write(self._descriptor, line) < len(line)
            self._failing = False
        except OSError as problem:
            if not self._failing:
                _LOG.warning("request lines cannot be written, and are lost: %s", problem.strerror)
            self._failing = True

    def close(self) -> None:
        """Close what was opened for it."""

    def _make_room(self, line: bytes) -> None:
        pass


class LineFile(LineOutput):
    """Lines at the end of a file, which only its owner can read. Above `most` bytes it loses the older half of them.

    Only one process can write it. The lines of a moment are one write.
    """

    def __init__(self, path: str, most: int = _MOST) -> None:
        """Raises `OSError`."""
        descriptor = _opened(path)
        about = os.fstat(descriptor)
        # A device or a pipe has no older half, and must not be replaced by a file.
        super().__init__(descriptor, about.st_size, most if stat.S_ISREG(about.st_mode) else sys.maxsize)
        self._path = os.path.realpath(path)
        self._waiting: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, line: bytes) -> None:
        """Keep a line, which is written soon."""
        self._waiting.append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            lines, self._waiting = b"".join(self._waiting), []
            super().write(lines)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self.flush()
        os.close(self._descriptor)

    def _make_room(self, line: bytes) -> None:
        self._size = self._most // 2  # if this fails, it is not tried again for each line
        with open(self._path, "rb") as lines:
            lines.seek(max(0, os.fstat(lines.fileno()).st_size - self._most // 2))
            lines.readline()  # the rest of a line
            kept = lines.read()
        new = f"{self._path}.new"
        descriptor = _opened(new, os.O_TRUNC)
        os.write(descriptor, kept)
        os.replace(new, self._path)
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, len(kept) + len(line)
        _LOG.warning("%s was full: the older half of its request lines is gone", self._path)


def _opened(path: str, more: int = 0) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | more, 0o600)
