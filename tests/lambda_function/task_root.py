"""The function's zip, unpacked as Lambda unpacks it, beside the packages that it is pinned to."""

from __future__ import annotations

import io
import sys
from importlib.metadata import distribution
from pathlib import Path

from cloud.api.task_root import link, python_in, unpack
from infra.packaging.archive import zipped
from infra.packaging.contents import START_SCRIPT, gateway_contents
from infra.packaging.requirements import read_requirements
from tests.support.processes import ROOT


def lay_out(folder: Path) -> Path:
    """The task root in `folder`, with the very files and modes of the zip; returns a folder for PATH.

    Its packages are not the zip's, which are for arm64, but this environment's of the same names, without what the zip
    leaves out, and no others: what the gateway needs and the zip lacks is missing here too.
    """
    unpack(io.BytesIO(zipped(gateway_contents(ROOT), executable=START_SCRIPT)), folder)
    for requirement in read_requirements(ROOT / "requirements-lambda.txt"):
        link(distribution(requirement.pin.partition("==")[0]), folder)
    return python_in(folder.parent / "bin", Path(sys.executable))
