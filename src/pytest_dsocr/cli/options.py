"""The options that say what is priced, shared by the subcommands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from dsocr_cost.config import DeepseekOCRConfig
from dsocr_cost.errors import ConfigError, SizeError
from dsocr_cost.execution import ATTENTIONS, DTYPES, IMPLEMENTATIONS, Execution
from dsocr_cost.workload import MODES

from ..published.grids import DECODE_STEPS, TEXT_TOKENS
from .types import INT64_MAX, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "config_of",
    "execution_of",
    "given",
    "joined",
    "refuse_alone",
    "refuse_together",
    "require_int64",
    "warn_of_long_contexts",
    "workload_options",
    "workload_options_of",
    "workload_options_without",
]

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = {
    "mode": click.option(
        "--mode",
        type=click.Choice(tuple(MODES), case_sensitive=False),
        default="gundam",
        show_default=True,
        help="Resolution mode: gundam and gundam-m cut a page into crops, the others take one view.",
    ),
    "text_tokens": click.option(
        "--text-tokens",
        type=Whole(0),
        metavar="T",
        default=TEXT_TOKENS,
        show_default=True,
        help="Positions of text beside those of the image.",
    ),
    "decode_steps": click.option(
        "--decode-steps",
        type=Whole(1),
        metavar="K",
        default=DECODE_STEPS,
        show_default=True,
        help="Tokens that are decoded after the prefill.",
    ),
    "batch": click.option(
        "--batch",
        type=Whole(1),
        metavar="N",
        default=1,
        show_default=True,
        help="Pages of the same size that run as one batch.",
    ),
    "implementation": click.option(
        "--implementation",
        type=click.Choice(IMPLEMENTATIONS),
        default="transformers",
        show_default=True,
        help="Whose code runs. Nothing measures the bytes and launches of the vendor's.",
    ),
    "attention": click.option(
        "--attention", type=click.Choice(ATTENTIONS), default="sdpa", show_default=True, help="Which attention runs."
    ),
    "dtype": click.option(
        "--dtype",
        type=click.Choice(DTYPES),
        default="bfloat16",
        show_default=True,
        help="Type of weights and activations.",
    ),
    "config": click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A Hugging Face config.json with other sizes than the published 3B model's.",
    ),
}


def joined(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Make one decorator of several options, which a command's help lists in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def workload_options(command: Command) -> Command:
    """Add the options to a command: mode, text tokens, decode steps, batch, execution, config."""
    return workload_options_without()(command)


def workload_options_without(*names: str) -> Callable[[Command], Command]:
    """Add those of them that a command does not have in a form of its own."""
    return workload_options_of(*(name for name in _OPTIONS if name not in names))


def workload_options_of(*names: str) -> Callable[[Command], Command]:
    """Add these of them alone."""
    return joined(*(_OPTIONS[name] for name in names))


def execution_of(options: Mapping[str, Any]) -> Execution:
    """Take the execution from a command's options."""
    return Execution(implementation=options["implementation"], attention=options["attention"], dtype=options["dtype"])


def config_of(path: Path | None) -> DeepseekOCRConfig:
    """Read ``--config``, or take the published sizes.

    Raises:
        ConfigError: the file, the key, what it got and what is allowed.
    """
    if path is None:
        return DeepseekOCRConfig()
    try:
        return DeepseekOCRConfig.from_hf(path)
    except ConfigError as error:
        msg = f"config: {error}"
        raise ConfigError(msg) from error


def given(*names: str) -> list[str]:
    """List those of these options that the user gave, as they are spelled."""
    ctx = click.get_current_context()
    spelled = {param.name: param.opts[-1] for param in ctx.command.params}
    usual = (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    return [spelled[name] for name in names if ctx.get_parameter_source(name) not in usual]


def refuse_together(*names: str) -> None:
    """Refuse more than one of these options.

    Raises:
        UsageError: those that were given.
    """
    both = given(*names)
    if len(both) > 1:
        msg = f"{' and '.join(both)}: got {len(both)} of them, allowed is one: they exclude each other"
        raise click.UsageError(msg)


def refuse_alone(name: str, *, beside: str) -> None:
    """Refuse an option that would change nothing.

    Raises:
        UsageError: it was given; the message names what it has to stand ``beside``.
    """
    if given(name):
        msg = f"{given(name)[0]}: got one that changes nothing here, allowed is one beside {beside}"
        raise click.UsageError(msg)


def require_int64(counts: Iterable[tuple[str, int | None]], *names: str) -> None:
    """Refuse counts that readers of JSON and CSV would not hold; ``names`` are the options that made them large.

    Raises:
        SizeError: the count and the options that the user gave.
    """
    for what, count in counts:
        if count is not None and count > INT64_MAX:
            lower = ", ".join(given(*names))
            msg = f"{lower}: {what} would be {_short(count)}, allowed are counts up to {INT64_MAX}: lower {lower}"
            raise SizeError(msg)


def warn_of_long_contexts(longest: int, config: DeepseekOCRConfig, *, points: str = "") -> None:
    """Say on stderr that the model was not made for so many positions; decode steps are among them."""
    allowed = config.decoder.max_position_embeddings
    if longest > allowed:
        beyond = f"{points}context and decode steps take {longest:,} positions, the model has {allowed:,}"
        click.echo(f"warning: {beyond}; the counts go on as if it had them", err=True)


def _short(count: int) -> str:
    digits = str(count)
    return f"{digits[0]}.{digits[1:3]}e+{len(digits) - 1}"
