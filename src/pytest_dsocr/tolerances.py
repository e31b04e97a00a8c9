"""``tolerances.toml``: which rule holds for a (layer, case, device, metric)."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, NoReturn

from dsocr_cost.text_file import read_text_file

from .errors import ToleranceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

__all__ = ["KNOWN_DEVICES", "Rule", "Tolerances", "Vocabulary", "short_device_name"]

HOSTS = frozenset({"meta", "cpu"})
"""Devices that are no card."""

KNOWN_DEVICES: tuple[str, ...] = (
    *sorted(HOSTS),
    "cuda",
    "RTX 3090",
    "RTX 4090",
    "RTX 5090",
    "RTX PRO 6000",
    "A100",
    "H100",
    "H200",
    "B200",
    "L4",
    "L40S",
)
"""Devices that a rule may name: ``cuda`` is every CUDA device, the others one card by its short name."""

_RULE_KEYS = ("layer", "case", "device", "metric")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a tolerance file may use."""

    layers: Collection[str]
    metrics: Collection[str]
    devices: Collection[str] = KNOWN_DEVICES


@dataclass(frozen=True, slots=True)
class Rule:
    """``|predicted - measured| <= rtol * measured`` for every row that matches all of the names that it gives."""

    rtol: float
    origin: str
    because: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def matches(self, *, layer: str, case: str, devices: Collection[str], metric: str) -> bool:
        """Whether it speaks of this row; ``devices`` are all names of the device that the row was measured on."""
        row = {"layer": (layer,), "case": (case,), "device": devices, "metric": (metric,)}
        return all(name in row[key] for key, name in self.names.items())

    def overlaps(self, other: Rule) -> bool:
        """Whether a row could match both."""
        shared = self.names.keys() & other.names.keys()
        differ = {key: {self.names[key], other.names[key]} for key in shared if self.names[key] != other.names[key]}
        # every card is a cuda device, too
        return not differ or (
            differ.keys() == {"device"} and "cuda" in differ["device"] and not differ["device"] & HOSTS
        )


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The rules of one file over the defaults of the metrics."""

    source: str
    rules: tuple[Rule, ...]
    defaults: Mapping[str, Rule]

    @classmethod
    def builtin(cls, defaults: Mapping[str, float]) -> Tolerances:
        """Hold each metric to its own default."""
        return cls("built in", (), _default_rules(defaults, "built-in default"))

    @classmethod
    def load(cls, path: Path, vocabulary: Vocabulary, defaults: Mapping[str, float]) -> Tolerances:
        """Read and check a file.

        Raises:
            ToleranceError: the file, the key, what it got and what is allowed.
        """
        return cls.parse(read_text_file(path, ToleranceError), str(path), vocabulary, defaults)

    @classmethod
    def parse(cls, text: str, source: str, vocabulary: Vocabulary, defaults: Mapping[str, float]) -> Tolerances:
        """Check the text of a file; ``source`` names it in errors."""
        try:
            content = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{source}: is no TOML: {error}"
            raise ToleranceError(msg) from error
        _require_keys(source, "the top level", content, ("default", "rule"))
        given = content.get("default", {})
        if not isinstance(given, dict):
            _refuse(source, "default", given, "a table of metrics")
        for metric in given:
            _require_known(source, "default", "metric", metric, vocabulary.metrics)
        overrides = {metric: _rtol(source, f"default.{metric}", value) for metric, value in given.items()}
        tables = content.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            _refuse(source, "rule", tables, "[[rule]] tables")
        rules = tuple(_rule(source, number, table, vocabulary) for number, table in enumerate(tables, start=1))
        _refuse_ties(source, rules)
        rules_of_defaults = {
            **_default_rules(defaults, "built-in default"),
            **_default_rules(overrides, "[default]"),
        }
        return cls(source, rules, rules_of_defaults)

    def rule_for(self, *, layer: str, case: str, devices: Collection[str], metric: str) -> Rule:
        """Find the rule that names most of the row; two that name equally much were refused when the file was read."""
        matching = [rule for rule in self.rules if rule.matches(layer=layer, case=case, devices=devices, metric=metric)]
        return max(matching, key=lambda rule: len(rule.names), default=self.defaults[metric])

    def unused(self, used: Iterable[str], devices: Collection[str]) -> tuple[Rule, ...]:
        """List the rules that judged no row, but for those that speak of another device than this one."""
        origins = set(used)
        return tuple(
            rule
            for rule in self.rules
            if rule.origin not in origins and ("device" not in rule.names or rule.names["device"] in devices)
        )


def short_device_name(name: str) -> str:
    """Name a card as rules do: ``NVIDIA GeForce RTX 5090`` is ``RTX 5090``, ``NVIDIA H100 80GB HBM3`` is ``H100``."""
    words = [word for word in name.split() if word not in ("NVIDIA", "GeForce")]
    stripped = " ".join(words)
    return next(
        (known for known in KNOWN_DEVICES if stripped == known or stripped.startswith((f"{known} ", f"{known}-"))),
        stripped,
    )


def _default_rules(defaults: Mapping[str, float], origin: str) -> dict[str, Rule]:
    return {metric: Rule(rtol, f"{origin} {metric}", names={}) for metric, rtol in defaults.items()}


def _rule(source: str, number: int, table: Mapping[str, Any], vocabulary: Vocabulary) -> Rule:
    where = f"rule {number}"
    _require_keys(source, where, table, (*_RULE_KEYS, "rtol", "because"))
    names = {key: table[key] for key in _RULE_KEYS if key in table}
    for key, name in names.items():
        if not isinstance(name, str):
            _refuse(source, f"{where}: {key}", name, "a string")
    if not names:
        msg = f"{source}: {where}: names nothing, allowed is at least one of {', '.join(_RULE_KEYS)}; or use [default]"
        raise ToleranceError(msg)
    known = {"layer": vocabulary.layers, "device": vocabulary.devices, "metric": vocabulary.metrics}
    for key, allowed in known.items():
        if key in names:
            _require_known(source, where, key, names[key], allowed)
    if "rtol" not in table:
        msg = f"{source}: {where}: rtol: is missing, allowed is a number of at least 0"
        raise ToleranceError(msg)
    because = table.get("because", "")
    if not isinstance(because, str) or not because.strip():
        _refuse(source, f"{where}: because", because, "the reason for this tolerance, as a sentence")
    return Rule(_rtol(source, f"{where}: rtol", table["rtol"]), f"rule {number}", because.strip(), names)


def _rtol(source: str, where: str, value: object) -> float:
    allowed = "a number of at least 0 (0.1 is 10 %)"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        _refuse(source, where, value, allowed)
    return float(value)


def _refuse_ties(source: str, rules: tuple[Rule, ...]) -> None:
    for one, other in combinations(rules, 2):
        if len(one.names) == len(other.names) and one.overlaps(other):
            msg = (
                f"{source}: {one.origin} and {other.origin} tie: both name {len(one.names)} of "
                f"{', '.join(_RULE_KEYS)} and can match the same row; allowed is one rule that names more"
            )
            raise ToleranceError(msg)


def _require_keys(source: str, where: str, table: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            msg = f"{source}: {where}: unknown key {key!r}, allowed are {', '.join(allowed)}"
            raise ToleranceError(msg)


def _require_known(source: str, where: str, key: str, name: str, allowed: Collection[str]) -> None:
    if key == "layer" and name.startswith("user."):
        return  # what a test names itself; a misspelt one judges no row, which a full run tells
    if name not in allowed:
        msg = f"{source}: {where}: unknown {key} {name!r}, allowed are {', '.join(sorted(allowed))}"
        raise ToleranceError(msg)


def _refuse(source: str, where: str, got: object, allowed: str) -> NoReturn:
    msg = f"{source}: {where}: got {got!r}, allowed is {allowed}"
    raise ToleranceError(msg)
