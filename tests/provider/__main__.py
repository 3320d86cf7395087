"""`python -m tests.provider` asks the provider, and writes the stand-in's table of its rules."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cloud.deployment.terraform import finding
from cloud.deployment.terraform.client import provider
from cloud.deployment.terraform.translation import terraform_type
from tests.provider import table
from tests.provider.judged import each_type, everything
from tests.provider.probing import probes
from tests.provider.rules import rows


def main() -> None:
    binary = finding.binary()
    if binary is None:
        sys.exit(str(finding.problem()))
    with tempfile.TemporaryDirectory() as folder, provider(binary) as running:
        types = each_type(everything(Path(folder)))
        probed = [probe for resource in types.values() for probe in probes(running, resource)]
        blocks = {type: running.block(terraform_type(type)) for type in types}
    table.write(rows(probed, blocks))
    print(f"{table.FILE}: {len(table.read())} rules")


if __name__ == "__main__":
    main()
