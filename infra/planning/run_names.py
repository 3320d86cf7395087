"""Run names like the document's `yellow-cat-1`, made from where a configuration lies.

The name hangs on the file's own name and its folder's, not on what is in it and not on where the folder lies: it stays
through edits, and in every clone of a project. Two files that would share a name get different numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from itertools import count
from pathlib import Path

SEED = 547
"""Any number would do; with this one `mistral/serve.dstack.yml`, the document's first, is its `yellow-cat-1`."""
ADJECTIVES = (
    "amber", "azure", "bold", "brave", "bright", "brisk", "calm", "cheery", "clever", "coral", "cosy", "crisp",
    "dapper", "eager", "early", "fair", "fast", "fine", "fond", "frank", "fresh", "gentle", "glad", "golden",
    "grand", "green", "happy", "hardy", "honest", "jolly", "keen", "kind", "lively", "lucky", "mellow", "merry",
    "mild", "neat", "noble", "olive", "patient", "plucky", "proud", "quick", "quiet", "ready", "red", "royal",
    "silver", "smart", "snug", "steady", "sunny", "sweet", "swift", "tidy", "tender", "violet", "warm", "wise",
    "witty", "yellow", "young", "zesty",
)  # fmt: skip
ANIMALS = (
    "ant", "badger", "bat", "bear", "beaver", "bee", "bison", "camel", "cat", "crab", "crane", "crow",
    "deer", "dog", "dolphin", "dove", "duck", "eagle", "elk", "falcon", "ferret", "finch", "fox", "frog",
    "gecko", "goat", "goose", "hare", "hawk", "heron", "horse", "ibis", "jay", "koala", "lark", "lemur",
    "lion", "lynx", "magpie", "mole", "moose", "mouse", "newt", "otter", "owl", "panda", "parrot", "puffin",
    "quail", "rabbit", "raven", "robin", "salmon", "seal", "shark", "sheep", "sparrow", "squid", "stork", "swan",
    "tiger", "trout", "whale", "wolf",
)  # fmt: skip


def generated_run_name(configuration: Path, *, taken: Container[str] = ()) -> str:
    """A run name for a configuration's file: adjective, animal and the first number that makes a name not `taken`."""
    path = configuration.resolve()
    digest = hashlib.sha256(f"{SEED}/{path.parent.name}/{path.name}".encode()).digest()
    words = f"{ADJECTIVES[digest[0] % len(ADJECTIVES)]}-{ANIMALS[digest[1] % len(ANIMALS)]}"
    return next(name for number in count(1) if (name := f"{words}-{number}") not in taken)
