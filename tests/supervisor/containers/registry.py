"""A registry of images on the loopback interface, small enough to read and real enough for an engine to pull from."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
CONFIG = "application/vnd.docker.container.image.v1+json"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer() -> bytes:
    content = io.BytesIO()
    busybox = Path("/bin/busybox").read_bytes()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, body in (("bin/busybox", busybox), ("bin/sh", None)):
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            if body is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
            else:
                entry.size = len(body)
                tar.addfile(entry, io.BytesIO(body))
    return content.getvalue()


def _documents() -> dict[str, tuple[str, bytes]]:
    layer = _layer()
    packed = gzip.compress(layer, 1)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh", "-c", "exit 21"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": LAYER, "size": len(packed), "digest": _digest(packed)}],
        }
    ).encode()
    return {
        "/v2/": ("application/json", b"{}"),
        "/v2/small/manifests/1": (MANIFEST, manifest),
        f"/v2/small/manifests/{_digest(manifest)}": (MANIFEST, manifest),
        f"/v2/small/blobs/{_digest(config)}": (CONFIG, config),
        f"/v2/small/blobs/{_digest(packed)}": (LAYER, packed),
    }


@contextmanager
def registry() -> Iterator[str]:
    """Serve one image, ``small:1``, and give the name of the registry. Its program exits with 21."""
    documents = _documents()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            kind, body = documents.get(self.path, ("application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'))
            self.send_response(200 if self.path in documents else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
