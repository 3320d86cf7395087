"""`files` and `repos`: what of this machine travels to the replicas, and what they clone.

An archive is named after its content. The same files give the same archive on every machine, so only a changed file
replaces replicas.
"""

from infra.planning.local_files.archive import LARGEST_ARCHIVE, Archive
from infra.planning.local_files.laid import ClonedRepository, LaidFile
from infra.planning.local_files.laying import lay_files, lay_repository, laying_notes

__all__ = [
    "LARGEST_ARCHIVE",
    "Archive",
    "ClonedRepository",
    "LaidFile",
    "lay_files",
    "lay_repository",
    "laying_notes",
]
