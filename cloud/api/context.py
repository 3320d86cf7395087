"""The variables `$context.…` of a request, for the access log and for the API's own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)")


def filled(template: str, context: Mapping[str, object]) -> str:
    """Return the template with the values in place of the variables; `-` for what a request does not have."""
    return _VARIABLE.sub(lambda match: str(context.get(match[1], "-")), template)
