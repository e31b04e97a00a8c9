"""FLOP formulas for ops that torch's counter passes over, and how users name theirs.

A formula has the form that torch gives its own: shapes in the order of the op's arguments, and ``out_shape``.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from ..errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FORMULAS", "attention_flops", "grouped_mm_flops", "no_flops", "parse_formulas"]


def grouped_mm_flops(a_shape: Any, b_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Count rows that are sorted by group, each times the matrix of its group: [s, k] @ [g, k, n] -> [s, n]."""
    if len(a_shape) != 2 or len(b_shape) != 3:
        msg = f"grouped matmul: got shapes {list(a_shape)} and {list(b_shape)}, allowed are [s, k] and [g, k, n]"
        raise NotImplementedError(msg)
    (rows, inner), (_, _, columns) = a_shape, b_shape
    return int(2 * rows * inner * columns)


def attention_flops(query_shape: Any, key_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Count scores and weighted sum, without a discount for a causal mask: [b, h, s, d] over [b, h, t, d]."""
    batch, heads, queries, head_dim = query_shape
    return int(2 * 2 * batch * heads * queries * key_shape[2] * head_dim)


def no_flops(*args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Declare an op to do no matrix work."""
    return 0


FORMULAS: Mapping[str, Callable[..., int]] = {
    "aten::_grouped_mm": grouped_mm_flops,
    "aten::_scaled_dot_product_flash_attention_for_cpu": attention_flops,
    "transformers::grouped_mm_fallback": grouped_mm_flops,
}
"""What the plugin itself brings: the ops that transformers runs its experts with, and flash attention on a CPU."""

_LINE = re.compile(r"(?P<op>\w+::\w+)\s*=\s*(?:(?P<module>[\w.]+):(?P<function>\w+)|(?P<zero>0))")


def parse_formulas(lines: Iterable[str], source: str) -> dict[str, Callable[..., int]]:
    """Read ``namespace::op = package.module:function``, or ``= 0`` for an op without matrix work.

    Raises:
        OptionError: a line of another form, or a function that cannot be imported.
    """
    formulas: dict[str, Callable[..., int]] = {}
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            msg = f"{source}: got {line!r}, allowed is 'namespace::op = package.module:function' or 'namespace::op = 0'"
            raise OptionError(msg)
        formulas[match["op"]] = no_flops if match["zero"] else _import(match["module"], match["function"], source, line)
    return formulas


def _import(module: str, function: str, source: str, line: str) -> Callable[..., int]:
    try:
        formula = getattr(importlib.import_module(module), function)
    except Exception as error:  # a user's module may raise anything while it is imported
        msg = f"{source}: got {line!r}: {type(error).__name__}: {error}"
        raise OptionError(msg) from error
    if not callable(formula):
        msg = f"{source}: got {line!r}: {module}:{function} is no function"
        raise OptionError(msg)
    return formula  # type: ignore[no-any-return]
