"""The ``dsocr`` command itself: its subcommands by name, and how its errors end."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dsocr_cost.errors import DsocrError

from ..report.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["dsocr", "main"]

COMMANDS = (
    "calibrate",
    "check",
    "compare",
    "completion",
    "cost",
    "fit",
    "forget",
    "merge",
    "report",
    "roofline",
    "scaling",
    "sweep",
    "vram",
)
"""Subcommands; each is in the module of its name beside this one."""

MEASURES_WITH = ("torch", "transformers")
"""What only the subcommands that measure need."""

READER_LEFT = 128 + 13
"""Exit code where nobody reads on: a shell's for a command that SIGPIPE ended."""

SPELLED = {
    "crops_high": ("grid", "grids"),
    "crops_wide": ("grid", "grids"),
    "grid": ("grid", "grids"),
    "width": ("size",),
    "height": ("size",),
    "context_len": ("context",),
    "batch_size": ("batch",),
}
"""Options that a name at the start of an error means, where they are not spelled like it."""

EPILOG = """\b
Examples:
  dsocr cost --image page.png
  dsocr cost --grid 3x2 --json
  dsocr sweep --grids published --csv grids.csv
  dsocr fit --device "RTX 5090"
  dsocr vram --grids model --batch 1,8
  dsocr calibrate --device cuda:0 -o profile.json
  dsocr roofline --device "RTX 5090" -o roofline.svg
  dsocr merge shard-1.json shard-2.json -o rows.json
  dsocr compare base.json rows.json
  dsocr forget base.json 'user.head, 16 tokens, params'
  dsocr report rows.json -o rows.html
  dsocr COMMAND --help
"""


class CommandError(click.ClickException):
    """One line on stderr, exit 2."""

    exit_code = 2


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End like any other command whose reader has left, such as ``| head``: at once, in silence, as by SIGPIPE."""
    try:
        yield
    except BrokenPipeError:
        # what is still buffered goes nowhere, or Python would complain when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(READER_LEFT) from None


class LazyGroup(click.Group):
    """A group that imports a ``lazy`` subcommand when it is needed, and says what went wrong in one line."""

    def __init__(self, *args: Any, lazy: Collection[str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all subcommands."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand, or answer None for a name that is none."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"{__package__}.{cmd_name}"), cmd_name)
        return command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options, of which some print and end it."""
        with _reader_may_leave():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand.

        Raises:
            CommandError: what a DsocrError or the output said, with the option that it is about; or what it needs and
                is not installed.
        """
        try:
            with _reader_may_leave():
                return super().invoke(ctx)
        except DsocrError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise CommandError(printable(_with_option(str(error), command.params if command else ()))) from error
        except ModuleNotFoundError as error:
            if error.name not in MEASURES_WITH:
                raise
            said = f"{ctx.invoked_subcommand}: needs {error.name}, which is not installed"
            raise CommandError(said) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None


def _with_option(message: str, params: Sequence[click.Parameter]) -> str:
    """Put an option's name before a message that starts with the name of what it sets."""
    field, colon, rest = message.partition(":")
    names = SPELLED.get(field, (field,))
    for param in params:
        if colon and param.name in names and isinstance(param, click.Option):
            return f"{param.opts[-1]}:{rest}"
    return message


def _refuse_output(reason: str) -> NoReturn:
    CommandError(f"output: cannot be written: {reason}").show()
    sys.exit(CommandError.exit_code)


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="pytest-dsocr", prog_name="dsocr")
def dsocr() -> None:
    """Say what DeepSeek-OCR costs: FLOPs, bytes, memory and time, stage by stage."""


def main() -> None:
    """Run the command that was asked for.

    Exit 2 on what it cannot take or write, 130 when it is interrupted, 141 when nobody reads on.
    """
    if sys.stdout is None:  # closed before it began: nothing would be seen of what it says
        _refuse_output("the standard output is closed")
    try:
        dsocr(prog_name="dsocr")
    except OSError as error:
        _refuse_output(error.strerror or str(error))
    except KeyboardInterrupt:
        sys.exit(130)
