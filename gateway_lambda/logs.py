"""The log on stderr. A record is always one line, also with text from callers, replicas and the registry."""

from __future__ import annotations

import logging


class OneLine(logging.Formatter):
    """Characters that end a line, move a terminal's cursor or cannot be seen are written as escapes.

    A traceback follows on lines of its own. All of them are indented, so that none passes for a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]
        return "\n".join(f"    {_printable(line)}" for line in lines)


def set_up_logging(level: str) -> None:
    """Send records of `level` and above to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "replace").decode() for each in text)
