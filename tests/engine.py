"""A real container engine for tests: a private containerd and dockerd that share nothing with the machine's own.

Everything lives under one short folder (socket paths have about 100 bytes). containerd runs on its own rather than as
dockerd's child, as it does under systemd, so that dockerd can be killed and started again while containers live.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from attrs import define, field

IMAGE = "hoody-test/busybox:1"
_APPLETS = (
    "sh",
    "sleep",
    "echo",
    "cat",
    "true",
    "false",
    "kill",
    "ls",
    "nc",
    "httpd",
    "yes",
    "dd",
    "head",
    "seq",
    "ps",
    "top",
    "touch",
    "env",
    "id",
    "printf",
    "tr",
    "stat",
    "rm",
    "mkdir",
    "od",
    "wc",
    "sync",
    "tail",
)
_BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))


def missing() -> str | None:
    """Say what this machine lacks for a real engine, or None."""
    if os.geteuid() != 0:
        return "an engine of one's own needs root"
    for program in ("dockerd", "containerd", "runc"):
        if _which(program) is None:
            return f"{program} is not installed (apt-get install docker.io)"
    if _busybox() is None:
        return "no static busybox (apt-get install busybox-static)"
    return None


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}")


def _busybox() -> Path | None:
    for path in _BUSYBOX:
        if path.exists() and b"/lib64/ld-linux" not in path.read_bytes()[:4096]:
            return path
    return None


@define
class Engine:
    """One engine. ``start`` and ``stop`` may be called again and again; ``close`` removes every trace."""

    root: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="hde-", dir="/tmp")))
    live_restore: bool = True
    _containerd: subprocess.Popen[bytes] | None = None
    _dockerd: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.root / "docker.sock"

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._dockerd is not None
        return self._dockerd.pid

    def start(self) -> None:
        """Start what is not running and wait until it answers."""
        if self._containerd is None:
            self._start_containerd()
        if self._dockerd is None:
            self.socket.unlink(missing_ok=True)
            (self.root / "docker.pid").unlink(missing_ok=True)
            self._dockerd = self._spawn("dockerd", *self._dockerd_flags())
        self._wait("dockerd", self._dockerd, self.answers)

    def stop(self) -> None:
        """End dockerd in an orderly way; with ``live_restore`` its containers go on."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End dockerd as an out-of-memory kill would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        try:
            return self.call("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: bytes | None = None, *, timeout: float = 20) -> tuple[int, bytes]:
        """Ask the engine directly, past everything that is under test."""
        connection = http.client.HTTPConnection("engine", timeout=timeout)
        with contextlib.closing(connection):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(timeout)
            connection.sock.connect(os.fspath(self.socket))
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def json(self, method: str, path: str, document: object = None) -> object:
        """Ask with a document, return the answer's; an error status raises."""
        status, body = self.call(method, path, None if document is None else json.dumps(document).encode())
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {body.decode(errors='replace')}")
        return json.loads(body) if body else None

    def import_image(
        self, name: str = IMAGE, *, changes: tuple[str, ...] = (), files: dict[str, bytes] | None = None
    ) -> None:
        """Make an image of busybox, more files, and Dockerfile instructions such as ``HEALTHCHECK``."""
        repository, _, tag = name.partition(":")
        query = [("fromSrc", "-"), ("repo", repository), ("tag", tag), *(("changes", change) for change in changes)]
        status, body = self.call("POST", f"/images/create?{urlencode(query)}", _root_filesystem(files or {}))
        if status != 200 or b'"error"' in body:
            raise RuntimeError(f"import of {name}: {status} {body!r}")

    def derive_image(self, name: str, config: dict[str, object], *, base: str = IMAGE) -> None:
        """Make an image that differs from another in its configuration (``StopSignal``, ``Healthcheck``, ...)."""
        made = self.json("POST", "/containers/create", {"Image": base, "Cmd": ["true"]})
        assert isinstance(made, dict)
        repository, _, tag = name.partition(":")
        query = urlencode({"container": made["Id"], "repo": repository, "tag": tag})
        self.json("POST", f"/commit?{query}", config)
        self.json("DELETE", f"/containers/{made['Id']}")

    def containers(self, **filters: list[str]) -> list[dict[str, object]]:
        query = urlencode({"all": "1", "filters": json.dumps(filters)})
        found = self.json("GET", f"/containers/json?{query}")
        assert isinstance(found, list)
        return found

    def remove_all(self) -> None:
        """Remove every container and every network of ours."""
        for container in self.containers():
            self.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        self.call("POST", "/networks/prune")

    def close(self) -> None:
        """End everything that was started here and remove the folder."""
        if self._dockerd is not None and self._dockerd.poll() is None:
            self.resume()
            with contextlib.suppress(OSError, RuntimeError):
                self.remove_all()
        self.stop()
        if self._containerd is not None:
            _finish(self._containerd, signal.SIGTERM)
            self._containerd = None
        for pid in _mentioning(f"{self.root}/"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for mount in _mounts_below(self.root):
            subprocess.run(["umount", "-l", mount], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)

    def _start_containerd(self) -> None:
        config = self.root / "containerd.toml"
        config.write_text(
            f'version = 2\nroot = "{self.root}/cd"\nstate = "{self.root}/cs"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]\n'
            f'[grpc]\naddress = "{self.root}/cd.sock"\n[ttrpc]\naddress = "{self.root}/cd.ttrpc"\n'
        )
        self._containerd = self._spawn("containerd", "--config", os.fspath(config))
        self._wait("containerd", self._containerd, (self.root / "cd.sock").is_socket)

    def _dockerd_flags(self) -> list[str]:
        config = self.root / "daemon.json"
        config.write_text(json.dumps({"live-restore": self.live_restore}))
        return [
            f"--config-file={config}",
            f"--data-root={self.root}/data",
            f"--exec-root={self.root}/exec",
            f"--pidfile={self.root}/docker.pid",
            f"--host={self.address}",
            f"--containerd={self.root}/cd.sock",
            "--storage-driver=vfs",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--shutdown-timeout=2",
        ]

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        path = _which(program)
        assert path is not None
        environment = {**os.environ, "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}"}
        with (self.root / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
            )

    def _wait(self, what: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (self.root / f"{what}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{what} does not come up (exit {process.poll()}):\n{tail}")
            time.sleep(0.02)

    def _end(self, number: signal.Signals) -> None:
        if self._dockerd is not None:
            _finish(self._dockerd, number)
            self._dockerd = None


def _finish(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(20)


def _root_filesystem(files: dict[str, bytes]) -> bytes:
    busybox = _busybox()
    assert busybox is not None
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for folder in ("bin", "tmp", "etc", "proc", "dev", "sys", "data"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000:guest:/tmp:/bin/sh\n", 0o644)
        for path, text in files.items():
            _add(tar, path, text, 0o755)
    return content.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _mentioning(text: str) -> Iterator[int]:
    """Yield the processes with ``text`` in their command line: the shims of a containerd that is gone."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text.encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)


def _mounts_below(root: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return sorted((line.split()[1] for line in lines if line.split()[1].startswith(f"{root}/")), reverse=True)
