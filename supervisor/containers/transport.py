"""Make the ``docker`` package's own client, with what it leaves open put right."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

from docker import APIClient
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from supervisor.containers.addresses import EngineAddress

_ANY_VERSION = "1.24"
_POOL = 32


def connect(address: EngineAddress, *, timeout: float) -> APIClient:
    """Connect to an engine and agree on the newest version of its interface. Blocks; raises the package's errors."""
    # The constructor would ask for the version through the transport that is to be replaced first.
    version = _client(address, _ANY_VERSION, timeout).version(api_version=False)["ApiVersion"]
    return _client(address, str(version), timeout)


def _client(address: EngineAddress, version: str, timeout: float) -> APIClient:
    certificates = address.certificates
    tls: Any = False
    if certificates is not None:
        pair = (certificates.certificate, certificates.key) if certificates.certificate and certificates.key else None
        tls = TLSConfig(client_cert=pair, ca_cert=certificates.authority, verify=certificates.verify)
    api = APIClient(base_url=address.url, version=version, timeout=int(timeout), tls=tls, max_pool_size=_POOL)
    path = address.socket_path
    if path is not None:
        api.mount("http+docker://", _Adapter(f"http+unix://{path}", int(timeout), max_pool_size=_POOL))
        # A proxy has no part in a socket of this machine, and looking for one costs time in every request.
        api.trust_env = False
    return api


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ANN401, ARG002 - the package's signature
        # One pool for the one socket. The package's own keeps a pool for each address that was ever asked for.
        with self.pools.lock:
            pool = self.pools.get(self.socket_path)
            if pool is None:
                pool = _Pool(self.socket_path, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[self.socket_path] = pool
        return pool


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:  # noqa: ANN401 - the package's class lacks what the stubs of urllib3 want
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        """Connect, and leave no socket behind where that fails: the package's own waits for the garbage collector."""
        with ExitStack() as undo:
            fresh = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            fresh.settimeout(self.timeout)
            fresh.connect(self.unix_socket)
            undo.pop_all()
        self.sock = fresh
