"""Counts its visitors in the database."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from db import ask


class Page(BaseHTTPRequestHandler):
    """One page and a health check."""

    def do_GET(self) -> None:
        """Answer with the number of the visit, or with PONG."""
        body = (ask("PING") if self.path == "/health" else f"visit {ask('INCR', 'visits')}").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Log visits, and not the looks of the probes."""
        if self.path != "/health":
            print(format % words, flush=True)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["WEB_PORT"])), Page).serve_forever()
