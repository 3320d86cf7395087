"""`python -m tests.prose [FOLDER …]`: hold what a person reads against the rules of plain English."""

import sys

from tests.prose.checking import findings
from tests.prose.passages import passages

wanted = tuple(sys.argv[1:])
found = [finding for passage in passages() if passage.path.startswith(wanted or "") for finding in findings(passage)]
for finding in found:
    print(finding)
print(f"prose: {len(found)} findings" if found else "prose: ok", file=sys.stderr)
sys.exit(bool(found))
