"""What AWS asks of resources together and no table says, a module a noun: each rule with its source.

A question reads the records, the world, the inputs of what is to be made, and its region; it yields problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Records
from tests.aws.standin.world import World

Question: TypeAlias = Callable[[Records, World, Mapping[str, Any], str], Iterator[Problem]]
Questions: TypeAlias = Mapping[str, tuple[Question, ...]]
