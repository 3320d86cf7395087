"""AWS as the commands use it: clients of a region and profile, and why AWS did not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.preflight.account import explain_credentials
from infra.preflight.aws_errors import in_words, kind_of

Client = Callable[[str], Any]
"""Makes a client from boto3's name of a service."""
ClientMaker = Callable[[str, str | None], Client]
"""Makes `Client` from a region and a profile; `None`: the caller's own credentials are used."""


def explained(error: Exception) -> str:
    """Return why AWS did not answer, and what to do."""
    match kind_of(error):
        case "credentials":
            return explain_credentials(error)
        case "denied":
            return f"the AWS credentials do not allow this call ({in_words(error)}): allow it, then try again"
        case "passing":
            return f"AWS does not answer ({in_words(error)}): check the network, then try again"
        case "other":
            return f"AWS refuses ({in_words(error)})"
