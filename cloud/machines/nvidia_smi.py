"""`nvidia-smi` of a machine without a GPU: the GPUs of its instance type, as busy as the stand-ins are.

It is copied onto the machine, and into containers that get GPUs, behind a first line that names Python. It answers
`--list-gpus`, and `--query-gpu=… --format=csv[,noheader][,nounits]`, with `--loop=SECONDS` again and again.
"""

import glob
import sys
import time

GPUS: list[tuple[str, int]] = []  # (name, MiB of memory). The copy on the machine has them.
RUNNING = ""  # a pattern of files with the number of requests that a stand-in works on
USE_OF_A_REQUEST = 45  # percent
WEIGHTS = 0.9  # the share of the memory that is taken while a stand-in runs: what vLLM takes


def main() -> int:
    options = {name: value for name, _, value in (word.partition("=") for word in sys.argv[1:])}
    if "--list-gpus" in options or "-L" in options:
        for index, (name, _) in enumerate(GPUS):
            print(f"GPU {index}: {name} (UUID: {_uuid(index)})")
        return 0
    if "--query-gpu" not in options:
        print(
            "\n".join(
                f"| {index}  {name}  {(_running() and 'in use') or 'idle'} |" for index, (name, _) in enumerate(GPUS)
            )
        )
        return 0
    fields = [field.strip() for field in options["--query-gpu"].split(",")]
    form = options.get("--format", "csv").split(",")
    while True:
        rows = [_row(index) for index in range(len(GPUS))]
        for field in fields:
            if rows and field not in rows[0]:
                print(f'Field "{field}" is not a valid field to query.')
                return 2
        if "noheader" not in form:
            print(", ".join(f"{field} [{_UNITS[field]}]" if field in _UNITS else field for field in fields))
        for row in rows:
            units = {} if "nounits" in form else _UNITS
            print(", ".join(f"{row[field]} {units[field]}" if field in units else row[field] for field in fields))
        sys.stdout.flush()
        if "--loop" not in options:
            return 0
        time.sleep(float(options["--loop"]))


_UNITS = {
    "utilization.gpu": "%",
    "memory.used": "MiB",
    "memory.total": "MiB",
    "memory.free": "MiB",
    "power.draw": "W",
}


def _row(index: int) -> dict[str, str]:
    name, total = GPUS[index]
    running = _running()
    used = int(total * WEIGHTS) if running is not None else 4
    use = min(99, (running or 0) * USE_OF_A_REQUEST)
    return {
        "index": str(index),
        "name": name,
        "uuid": _uuid(index),
        "driver_version": "580.95.05",
        "utilization.gpu": str(use),
        "memory.used": str(used),
        "memory.total": str(total),
        "memory.free": str(total - used),
        "temperature.gpu": str(35 + use // 3),
        "power.draw": f"{30 + use / 2:.2f}",
    }


def _running() -> int | None:
    """The requests that the stand-ins work on; None while none of them serves."""
    counts: list[str] = []
    for file in glob.glob(RUNNING):
        try:
            with open(file) as text:
                counts.append(text.read().strip())
        except OSError:
            continue
    served = [int(count) for count in counts if count.isdigit()]
    return sum(served) if served else None


def _uuid(index: int) -> str:
    return f"GPU-00000000-0000-0000-0000-{index:012d}"


sys.exit(main())
