"""What this project's dynamic resources share: what the engine keeps of their providers, and how it shows refusals."""

from __future__ import annotations

import sys
from typing import Any

from pulumi import dynamic


def dynamodb(region: str, profile: str | None) -> Any:
    """Return boto3's `dynamodb`, with the caller's own credentials or with those of a profile."""
    import boto3

    session: Any = boto3.Session(region_name=region, profile_name=profile)
    return session.client("dynamodb")


class DynamicProvider(dynamic.ResourceProvider):
    """A provider that anybody can make without arguments.

    A stack's state refers to a subclass by its name: a stack cannot be destroyed by a version in which it has another.
    """

    serialize_as_secret_always = False

    def __init__(self) -> None:
        super().__init__()
        self._shown_with_traceback = False

    def __reduce__(self) -> tuple[type[Any], tuple[()]]:
        """What the engine keeps is the class alone, so that nothing else of the code has to keep its name."""
        return type(self), ()

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Only in the engine's own process for dynamic resources, which shows errors with their traceback."""
        self._shown_with_traceback = True

    def refusal(self, error: Exception) -> Exception:
        """Return what to raise, `from None`, so that a user reads the message of `error` and nothing else.

        In the engine's own process, that is an error without text whose type is named after the message: Pulumi shows
        what `traceback.format_exc` makes of an error, which is the frames, the name of its type, and its text.
        """
        if not self._shown_with_traceback:
            return error
        sys.tracebacklimit = 0
        return type(str(error), (Exception,), {"__module__": "builtins"})()
