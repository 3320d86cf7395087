"""The program that a machine has in place of one that needs a server: it hands its call to that server.

It is copied onto the machine behind a first line that names Python, and is started by many names. Its arguments,
variables, folder and files go to the socket of the server, which answers with the exit status.
"""

import array
import json
import os
import socket
import sys

SOCKETS: dict[str, str] = {}  # by program; "" for all others. The copy on the machine has them.


def main() -> int:
    name = os.path.basename(sys.argv[0])
    folder, socket_name = os.path.split(SOCKETS.get(name) or SOCKETS[""])
    request = {"name": name, "arguments": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd()}
    data = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        place = os.open(folder, os.O_PATH)  # the address of a socket has 107 bytes at most; this form is short
        try:
            server.connect(f"/proc/self/fd/{place}/{socket_name}")
            files = array.array("i", (0, 1, 2))
            server.sendmsg([len(data).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            server.sendall(data)
            answer = server.recv(1)
        except OSError as error:
            sys.stderr.write(f"{name}: the machine does not answer: {error.strerror}\n")
            return 255
    return answer[0] if answer else 255


sys.exit(main())
