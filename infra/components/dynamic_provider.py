"""What the dynamic resources of this project share: what the engine stores of their providers, and how it shows
refusals.
"""

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
    """A provider that needs no arguments.

    A stack's state refers to a subclass by its name. If a version renames the class, it cannot destroy older stacks.
    """

    serialize_as_secret_always = False

    def __init__(self) -> None:
        super().__init__()
        self._shown_with_traceback = False

    def __reduce__(self) -> tuple[type[Any], tuple[()]]:
        """Let the engine store only the class, so that everything else in the code can be renamed."""
        return type(self), ()

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Note that this is the engine's process for dynamic resources, which shows errors with their traceback."""
        self._shown_with_traceback = True

    def refusal(self, error: Exception) -> Exception:
        """Return what to raise, `from None`, so that a user reads only the message of `error`.

        In the engine's own process, that is an error without text whose type is named after the message: Pulumi shows
        what `traceback.format_exc` makes of an error, which is the frames, the name of its type, and its text.
        """
        if not self._shown_with_traceback:
            return error
        sys.tracebacklimit = 0
        return type(str(error), (Exception,), {"__module__": "builtins"})()
