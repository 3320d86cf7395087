"""`python -m cloud.api`: serves the cloud's names over HTTPS on 127.0.0.1 until its parent ends."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from pathlib import Path

import uvloop

from cloud.api.functions import MOST
from cloud.api.whole import Settings, serving
from cloud.ending import end_with_the_parent


def main() -> None:
    """Serve until standard input ends, the parent ends, or SIGTERM."""
    options = _options()
    end_with_the_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options.folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=options.folder / "api.log", format="%(asctime)s %(levelname)s %(name)s: %(message)s", level="INFO"
    )
    for noisy in ("botocore", "boto3", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    marks = {name: value for name, value in os.environ.items() if name.startswith("SERVESTACK_")}
    settings = Settings(
        control_plane=options.control_plane,
        folder=options.folder,
        port=options.port,
        proxy_port=options.proxy_port,
        adapter=options.adapter or shutil.which("lambda-adapter"),
        speed=options.speed,
        most=options.instances,
        marks=marks,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with serving(settings):
        print("ready", flush=True)
        reader = loop.run_in_executor(None, sys.stdin.buffer.read)
        reader.add_done_callback(lambda _: ended.set())
        await ended.wait()
    os._exit(0)  # A thread still waits for standard input.


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cloud.api", description=__doc__)
    parser.add_argument("--control-plane", required=True, help="its URL")
    parser.add_argument("--port", type=int, required=True, help="where HTTPS is served")
    parser.add_argument("--proxy-port", type=int, required=True, help="where the proxy for HTTPS_PROXY is served")
    parser.add_argument("--folder", type=Path, required=True, help="where ca.pem, api.log and unpacked functions are")
    parser.add_argument("--adapter", help="the Lambda Web Adapter's program (lambda-adapter on PATH, else a stand-in)")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="how many of AWS's seconds pass in a second, for metrics"
    )
    parser.add_argument("--instances", type=int, default=MOST, help="how many instances a function has at most")
    return parser.parse_args()


if __name__ == "__main__":
    main()
