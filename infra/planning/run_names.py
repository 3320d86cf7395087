"""Generated run names, such as the document's `yellow-cat-1`.

A name depends on the names of the configuration's file and folder, not on the content of the file or the place of the
folder. It stays the same after edits, and in every clone of a project. If two files would have the same name, they get
different numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from itertools import count
from pathlib import Path

SEED = 547
"""An arbitrary number. With this one, the document's first example, `mistral/serve.dstack.yml`, is `yellow-cat-1`."""
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
    """Return a run name for a configuration's file: adjective, animal, and the first number whose name is not
    `taken`."""
    path = configuration.resolve()
    digest = hashlib.sha256(f"{SEED}/{path.parent.name}/{path.name}".encode()).digest()
    words = f"{ADJECTIVES[digest[0] % len(ADJECTIVES)]}-{ANIMALS[digest[1] % len(ANIMALS)]}"
    return next(name for number in count(1) if (name := f"{words}-{number}") not in taken)
