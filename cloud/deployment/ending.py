"""A command ends soon after the cloud that it deploys into has ended: nothing would answer it any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException

from cloud.control_plane.client import ControlPlane
from cloud.control_plane.client import Refused as ControlPlaneRefused
from cloud.deployment.endpoint import VARIABLE, refuse_other_clouds

PAUSE = 0.3
"""Seconds between two looks."""
REFUSED = 3
"""Looks in a row without an answer after which the cloud has ended. A new one needs longer to start."""


class CloudEnded(Exception):
    """Nothing answers at the address of the cloud. `str()` names the remedy."""


def end_with_the_cloud(environment: Mapping[str, str], end: Callable[[CloudEnded], None]) -> None:
    """Call `end` in another thread as soon as the cloud that AWS_ENDPOINT_URL names has ended.

    Raises:
        CloudEnded: nothing answers there now.
        Refused: it is not on this machine.
    """
    refuse_other_clouds(environment)
    plane = ControlPlane(environment[VARIABLE])
    try:
        version = plane.version_after(0)
    except (ControlPlaneRefused, ValueError):
        return  # it is another server of AWS's API
    except OSError as error:
        why = getattr(error, "reason", error)
        raise CloudEnded(
            f"no cloud answers at {VARIABLE}, {plane.url} ({why}). Start one with make cloud, and paste the lines "
            "that it prints into this terminal"
        ) from error
    threading.Thread(target=_watch, args=(plane, version, end), daemon=True, name="the cloud").start()


def _watch(plane: ControlPlane, version: int, end: Callable[[CloudEnded], None]) -> None:
    refused = 0
    while refused < REFUSED:
        time.sleep(PAUSE)
        try:
            now = plane.version_after(version)
        except TimeoutError:
            continue  # it is there, and slow
        except (OSError, ValueError, HTTPException, ControlPlaneRefused):
            refused += 1
            continue
        if now < version:
            break  # it is another cloud
        version, refused = now, 0
    end(
        CloudEnded(
            f"the cloud at {plane.url} has ended, and everything that was in it, so this command ends too. Start a "
            "cloud with make cloud, and begin again with `pulumi stack init`"
        )
    )
