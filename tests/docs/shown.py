"""What a page shows against what was printed."""

from __future__ import annotations

import re

VARIES = (
    (re.compile(r"torch-[\w.-]+\.json"), "torch-#.json"),  # the file of a device
    (
        re.compile(r"\b(torch|python|pytest|pluggy|transformers|numpy|cuda|driver)([ -])\d[\w.+]*", re.IGNORECASE),
        r"\1\2#",
    ),
    (re.compile(r"\b\d+\.\d+s\b"), "#s"),  # how long a run took
    (re.compile(r"={2,}"), "=="),  # pytest fills its lines up
    (re.compile(r"_{2,}"), "__"),
)
"""What differs from machine to machine, and what stands for it."""


def differences(shown: str, printed: str) -> str:
    """Say where a page shows what was not printed; empty if it does not.

    ``...`` stands for anything within a line, and on a line of its own for any lines; what nothing is shown of prints
    nothing. Warnings that a page shows none of are left out.
    """
    if "warning: " not in shown:
        printed = re.sub(r"^warning: .*\n", "", printed, flags=re.MULTILINE)
    pattern = "\n".join(_pattern(line) for line in steady(shown).splitlines())
    pattern = (
        pattern.replace("<lines>\n", "(?:.*\n)*?").replace("\n<lines>", "(?:\n.*)*?").replace("<lines>", r"[\s\S]*")
    )
    if re.fullmatch(pattern, steady(printed)):
        return ""
    return f"shown:\n{steady(shown)}\n\nprinted:\n{steady(printed)}"


def steady(text: str) -> str:
    """Replace what varies, and drop blanks at the ends of lines and of the text."""
    for pattern, stands in VARIES:
        text = pattern.sub(stands, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return "<lines>"
    return ".*".join(re.escape(part) for part in line.split("..."))
