"""What AWS documents about properties together, a module a noun. A rule reads a resource's inputs and yields problems.

Values that are not known yet are `UNKNOWN`; a rule says nothing about those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from tests.aws.standin.problem import Problem

Rule: TypeAlias = Callable[[Mapping[str, Any]], Iterator[Problem]]
Rules: TypeAlias = Mapping[str, tuple[Rule, ...]]
