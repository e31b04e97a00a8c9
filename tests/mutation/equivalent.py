"""Mutants that no size and no execution can tell from the formula, with the reason of each."""

EQUIVALENT: dict[str, dict[str, str]] = {}
