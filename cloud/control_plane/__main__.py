"""`python -m cloud.control_plane`: serves AWS's API on 127.0.0.1 until its parent ends."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from cloud.control_plane.clock import Clock
from cloud.control_plane.environment import prepare
from cloud.ending import end_with_the_parent


def main() -> None:
    """Serve until standard input ends, the parent ends, or SIGTERM."""
    options = _options()
    end_with_the_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare(options.port)
    options.folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=options.folder / "control_plane.log", format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if options.log_calls:
        logging.getLogger("cloud.control_plane").setLevel(logging.DEBUG)
    from cloud.control_plane.installing import running  # it imports moto

    with running(
        port=options.port,
        clock=Clock(options.speed),
        zones=options.zone or ["models.localhost"],
        first_load_balancer_port=options.load_balancer_ports,
        by_themselves=options.by_themselves,
    ) as server:
        (options.folder / "port").write_text(str(server.server_port))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        sys.stdin.buffer.read()
        server.shutdown()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cloud.control_plane", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0: any; the file `port` in the folder has its number")
    parser.add_argument("--folder", type=Path, required=True, help="where control_plane.log is written")
    parser.add_argument("--speed", type=float, default=1.0, help="how many of AWS's seconds pass in a second")
    parser.add_argument("--zone", action="append", help="a hosted zone that exists at the start (models.localhost)")
    parser.add_argument("--load-balancer-ports", type=int, default=4601, help="the first; one a load balancer")
    parser.add_argument(
        "--by-themselves",
        action="store_true",
        help="nobody runs machines and load balancers: all of it is well at once",
    )
    parser.add_argument("--log-calls", action="store_true", help="write down every call, its status and its seconds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
