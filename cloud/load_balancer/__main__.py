"""`python -m cloud.load_balancer --control-plane URL [--speed S]`: every load balancer of the cloud."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

import aiohttp

from cloud.ending import end_with_the_parent
from cloud.load_balancer.following import ControlPlane
from cloud.load_balancer.serving import Serving


async def main(control_plane: str, speed: float) -> None:
    """Serve until standard input ends."""
    async with aiohttp.ClientSession() as session:
        serving = asyncio.create_task(Serving(ControlPlane(control_plane, session), speed).run())
        print("ready", flush=True)
        ended = asyncio.create_task(_end_of_input())
        await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if serving.done():
            await serving
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def _end_of_input() -> None:
    """The parent holds the other end, so the end of input is the end of the parent."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m cloud.load_balancer", description=__doc__)
    parser.add_argument("--control-plane", required=True, metavar="URL")
    parser.add_argument("--speed", type=float, default=1.0, help="how many of AWS's seconds pass in a second")
    arguments = parser.parse_args()
    end_with_the_parent()
    asyncio.run(main(arguments.control_plane, arguments.speed))
