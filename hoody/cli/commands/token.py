"""``hoody token``."""

from __future__ import annotations

from hoody.cli.command import command
from hoody.cli.console import note, say


@command(
    "show",
    examples="""
    hoody token show
    curl -H "Authorization: Bearer $(hoody token show)" "$(hoody status --json | jq -r .url)/api/v1/agents"
    """,
)
def show() -> None:
    """Print the token. Whoever has it can run programs as you: keep it as you keep an SSH key."""
    from hoody.client.discover import read_token
    from hoody.home import find_home

    say(read_token(find_home()))


@command(
    "rotate",
    effect="changes",
    examples="""
    hoody token rotate
    """,
)
def rotate() -> None:
    """Replace the token; the old one is refused at once. Programs that read the token's file go on by themselves."""
    from hoody.client import Client

    Client().rotate_token()
    note("the token was replaced; to see the new one: hoody token show")
