"""Questions to servers over plain HTTP."""

from __future__ import annotations

import pytest

from local.asking import status_in


@pytest.mark.parametrize(
    ("matcher", "status", "holds"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200,204", 204, True),
        ("200-499", 200, True),
        ("200-499", 499, True),
        ("200-499", 500, False),
        ("200-201,204", 203, False),
    ],
)
def test_a_matcher_is_a_list_of_codes_and_ranges(matcher: str, status: int, holds: bool) -> None:
    assert status_in(matcher)(status) is holds
