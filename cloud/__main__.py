"""`python -m cloud`: run the cloud until Ctrl-C."""

from __future__ import annotations

import sys


def main(line: list[str]) -> int:
    """Return 0 if the user ended it or the demo succeeded, 130 if the user ended it before anything ran.

    1: it cannot start, a part died, or a step of the demo failed. 2: the command line is wrong.
    """
    try:
        # Imported here, so that a Ctrl-C while Python still reads modules ends without a traceback too.
        from cloud.arguments import read_arguments

        arguments = read_arguments(line)
        print("Starting AWS's API, the load balancer, the API with its function, and the machines …", flush=True)
        from cloud.addresses import PortTaken
        from cloud.launcher import CannotBoot, CannotDeploy, DemoFailed, serve
        from cloud.lock import FolderTaken
        from local.children import ChildDied
        from local.serving import Stopped

        try:
            serve(arguments, sys.stdout)
        except Stopped:
            print("\nEnded.", flush=True)
        except (CannotBoot, CannotDeploy, ChildDied, DemoFailed, FolderTaken, PortTaken) as error:
            print(error, file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
