"""The checks in their order, and how they run: a check that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import httpx
import openai

from commands.smoke.chat import Chat
from commands.smoke.curl import try_curl
from commands.smoke.long_stream import LongStream
from commands.smoke.outcome import CheckFailed, CheckShort, CheckSkipped, Outcome, Result, Say
from commands.smoke.service import WRONG_KEY, Service
from commands.smoke.target import Target

Check = tuple[str, Callable[[], str]]
"""The name of a check, and the check, which returns a note or raises."""


def checks(
    target: Target, *, health: str | None, no_content: str | None, stream_seconds: float, say: Say
) -> Sequence[Check]:
    """Return every check of a service, the quick ones first."""
    service = Service(target, health=health, no_content=no_content)
    chat = Chat(target)
    return (
        ("health", service.health),
        ("curl", lambda: try_curl(target)),
        ("model list", chat.models),
        ("SDK, plain", chat.plain),
        ("SDK, streaming", chat.streaming),
        ("time between chunks", chat.unbuffered),
        ("wrong key: 401", service.wrong_key),
        ("4 MB request", service.large_request),
        ("404", service.not_found),
        ("HEAD", service.head),
        ("204", service.no_content),
        (f"stream of {stream_seconds:g} s", LongStream(target, stream_seconds, say).lasts),
    )


def run(target: Target, asked: Sequence[Check], say: Say) -> list[Outcome]:
    """Run every check, and print each outcome when it is known. No note contains the key."""
    outcomes: list[Outcome] = []
    for name, check in asked:
        say(f"{name} …")
        began = time.monotonic()
        result, note = _tried(check)
        note = _without_key(note, target)
        outcomes.append(Outcome(check=name, result=result, seconds=time.monotonic() - began, note=note))
        say(f"  {result}: {note}")
    return outcomes


def _tried(check: Callable[[], str]) -> tuple[Result, str]:
    try:
        return "ok", check()
    except CheckSkipped as skipped:
        return "skipped", str(skipped)
    except CheckShort as short:
        return "short", str(short)
    except CheckFailed as failed:
        return "FAILED", str(failed)
    except openai.APIStatusError as error:
        return "FAILED", f"{error.status_code}: {error.message}"
    except (openai.OpenAIError, httpx.HTTPError) as error:
        cause = error.__cause__ or error
        return "FAILED", f"{type(cause).__name__}: {cause}"
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        # The SDK and the checks do not validate what they read. An answer of another shape ends here.
        return "FAILED", f"the answer does not have the expected shape ({type(error).__name__}: {error})"


def _without_key(note: str, target: Target) -> str:
    """Return one line without keys, because an answer can repeat its request."""
    for key in (WRONG_KEY, *([] if target.key is None else [target.key.reveal()])):
        note = note.replace(key, "***")
    return " ".join(note.split())[:300]
