"""``hoody completion``: scripts are printed, never written anywhere."""

from __future__ import annotations

from hoody.cli.command import HoodyCommand, command
from hoody.cli.console import say
from hoody.cli.entry import COMPLETE_VARIABLE

_HOW = {
    "bash": "echo 'eval \"$(hoody completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(hoody completion zsh)\"' >> ~/.zshrc",
    "fish": "hoody completion fish > ~/.config/fish/completions/hoody.fish",
}


def _print_script(shell: str) -> None:
    from asyncclick.shell_completion import get_completion_class

    from hoody.cli.commands import root

    found = get_completion_class(shell)
    if found is None:
        raise LookupError(f"asyncclick has no completion for {shell}")
    values = {"prog_name": "hoody", "complete_var": COMPLETE_VARIABLE}
    # Not .source(): for bash it starts bash to look at its version, and this script may be made on another machine.
    say(found.source_template % {**found(root, {}, **values).source_vars()})


def _command_for(shell: str) -> HoodyCommand:
    @command(shell, examples=f"hoody completion {shell}\n{_HOW[shell]}")
    def complete() -> None:
        _print_script(shell)

    complete.help = f"Print the script that teaches {shell} to complete hoody's commands, options and agent names."
    return complete


bash = _command_for("bash")
zsh = _command_for("zsh")
fish = _command_for("fish")
