"""What runs after an import is what the other manager's file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.harness import Daemon

SUPERVISORD = """
[supervisord]
environment=SHARED="yes"

[program:sleeper]
command=/bin/sleep 10%(process_num)01d
process_name=%(program_name)s_%(process_num)d
numprocs=2
directory=/tmp
environment=NAME="%(program_name)s",NUMBER=%(process_num)s
autorestart=true
startsecs=0
stopsignal=INT
"""
PROCFILE = 'plain: sleep 1000\nshell: test -n "$GREETING" && exec sleep 1001\n'
SERVICE = """
[Service]
ExecStart=@/bin/sleep ignored \\
    1002
Environment="GREETING=hello world" %p=1
WorkingDirectory=/tmp
Restart=on-failure
RestartSec=1
"""
ECOSYSTEM = {
    "apps": [
        {"name": "api", "script": "run.sh", "args": ["a b", "c"], "env": {"PORT": 3000}, "env_test": {"MODE": "test"}}
    ]
}


def running(daemon: Daemon, name: str) -> tuple[list[str], dict[str, str], str]:
    """Return the words, the variables and the folder of what runs."""
    proc = Path(f"/proc/{daemon.running(name)['status']['pid']}")
    words = proc.joinpath("cmdline").read_bytes().decode().split("\0")[:-1]
    pairs = (entry.partition("=") for entry in proc.joinpath("environ").read_bytes().decode().split("\0")[:-1])
    return words, {key: value for key, _, value in pairs}, str(proc.joinpath("cwd").readlink())


def bring(daemon: Daemon, file: Path, text: str, *words: str) -> None:
    """Import a file and apply what comes of it; a second time nothing is to be done."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    made = file.with_name("made.toml")
    made.write_text(daemon.hoody("import", str(file), *words).stdout)
    daemon.hoody("apply", "-f", str(made))
    assert daemon.hoody("apply", "-f", str(made), "--prune").stdout.startswith("nothing to do")


def test_programs_of_supervisord_run_as_its_file_says(daemon: Daemon, tmp_path: Path) -> None:
    bring(daemon, tmp_path / "s" / "supervisord.conf", SUPERVISORD)

    for number in (0, 1):
        words, variables, folder = running(daemon, f"sleeper_{number}")
        assert (words, folder) == (["/bin/sleep", f"10{number}"], "/tmp")
        assert (variables["SHARED"], variables["NAME"], variables["NUMBER"]) == ("yes", "sleeper", str(number))
    spec = daemon.unit("sleeper_1")["spec"]
    assert (spec["restart"], spec["stop_signal"], spec["start_seconds"]) == ("permanent", "INT", "0s")


def test_processes_of_a_procfile_run_in_its_folder_with_its_variables(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / ".env").write_text("GREETING=hello\n")
    bring(daemon, folder / "Procfile", PROCFILE)

    plain, shell = running(daemon, "plain"), running(daemon, "shell")
    assert (plain[0], shell[0]) == (["sleep", "1000"], ["sleep", "1001"])
    assert plain[1]["GREETING"] == "hello"
    assert {plain[2], shell[2]} == {str(folder)}


def test_a_service_of_systemd_runs_as_its_file_says(daemon: Daemon, tmp_path: Path) -> None:
    bring(daemon, tmp_path / "d" / "web.service", SERVICE)

    words, variables, folder = running(daemon, "web")
    assert (words, folder) == (["/bin/sleep", "1002"], "/tmp")
    assert (variables["GREETING"], variables["web"]) == ("hello world", "1")


@pytest.mark.parametrize("variant", [(), ("--env", "test")])
def test_apps_of_pm2_run_as_their_file_says(daemon: Daemon, tmp_path: Path, variant: tuple[str, ...]) -> None:
    folder = tmp_path / "e"
    folder.mkdir()
    (folder / "run.sh").write_text("sleep 1000\n")
    bring(daemon, folder / "ecosystem.config.json", json.dumps(ECOSYSTEM), *variant)

    words, variables, cwd = running(daemon, "api")
    assert (words, cwd) == (["bash", "run.sh", "a b", "c"], str(folder))
    assert (variables["PORT"], variables.get("MODE")) == ("3000", "test" if variant else None)
