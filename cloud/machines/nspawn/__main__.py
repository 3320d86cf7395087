"""One machine of systemd-nspawn: `python -m cloud.machines.nspawn`, with the protocol of `cloud/machines/spec.py`."""

from __future__ import annotations

import json
import sys

from cloud.machines.nspawn.instance import Instance, NspawnSpec
from cloud.machines.spec import stay_on

if __name__ == "__main__":
    stay_on(Instance(NspawnSpec(**json.loads(sys.stdin.readline()))))
