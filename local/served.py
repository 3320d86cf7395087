"""What `make local` serves, in a file of its temporary folder. `make status` and `make usage` read this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from local.banner import Run

NAME = "served.json"


def write_served(folder: Path, runs: Sequence[Run], *, gateway: str, request_lines: Path) -> None:
    """Write the runs. `gateway`: base URL of the gateway in front of them. `request_lines`: the file with a line of
    each request (docs/gateway.md#request-lines). The file has no key and no variable."""
    since = datetime.now(UTC).isoformat()
    served = [
        {
            "run": run.plan.run,
            "url": f"{gateway}/services/{run.plan.run}/",
            "model": None if run.plan.model is None else run.plan.model.name,
            "configuration": run.configuration,
            "server": run.server,
            "since": since,
        }
        for run in runs
    ]
    found = {"gateway": gateway, "request_lines": str(request_lines), "runs": served}
    written = folder / f"{NAME}.new"
    written.write_text(json.dumps(found), encoding="utf-8")
    written.replace(folder / NAME)  # whoever reads it finds all of it
