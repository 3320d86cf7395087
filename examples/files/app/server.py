"""Says which GPUs the machine has."""

import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        try:
            said = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, timeout=10, check=False).stdout
        except FileNotFoundError:
            said = b"no GPU\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
