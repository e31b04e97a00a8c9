"""``dsocr completion``: the script that makes a shell complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]

EPILOG = """\b
Examples:
  dsocr completion bash > ~/.local/share/bash-completion/completions/dsocr
  dsocr completion zsh > ~/.zfunc/_dsocr      (a folder in $fpath)
  dsocr completion fish > ~/.config/fish/completions/dsocr.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"click cannot complete for {shell}", ctx)
    click.echo(complete(ctx.find_root().command, {}, "dsocr", "_DSOCR_COMPLETE").source())
