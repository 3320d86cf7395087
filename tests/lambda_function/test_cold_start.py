"""The measurement of a cold start, which the bench takes."""

from __future__ import annotations

import pytest

from tests.lambda_function.cold_start import cold_starts
from tests.support.requirements import require

pytestmark = [getattr(pytest.mark, "lambda"), pytest.mark.xdist_group("lambda")]


def test_a_cold_start_is_measured_to_its_first_byte() -> None:
    require("lambda-adapter")
    (one,) = cold_starts(1)
    assert 0 < one.ready < one.first_byte < 30
