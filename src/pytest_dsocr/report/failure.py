"""What a failed comparison says: which, both figures, the rule, and where the terms part ways."""

from __future__ import annotations

import math
import shutil
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from tabulate import tabulate

from ..alignment import Pair, aligned
from ..baseline import REGRESSION, change_text
from ..row import Change
from ..terms import TERMS, shares_of
from .text import allowed, figure, figure_of, is_time, mean_and_deviation, printable, share, signed_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost import Op

    from ..measure.measurement import Call
    from ..row import Row

__all__ = ["failure_text"]

MAX_TERMS = 24
SHORTEST = 16  # columns that a name keeps where there is little room; before that, sizes go


class _Term(NamedTuple):
    """A line of the table: a term of the prediction, a term of the count, or one beside the other."""

    op: str = ""
    kind: str = ""
    sizes: str = ""
    predicted: str = ""
    mark: str = ""
    counted: str = ""
    call: str = ""
    shapes: str = ""
    module: str = ""


def failure_text(
    row: Row, metric_label: str, ops: Sequence[Op], calls: Sequence[Call], width: int | None = None
) -> str:
    """Explain a row that is no pass.

    Its table has all sizes where ``width`` columns hold them; on fewer, each term as counted stands below that as
    predicted. None asks the terminal, which tells its width only while pytest captures nothing.
    """
    width = width or shutil.get_terminal_size().columns
    attention = f"{row.attention} attention" if row.attention else ""
    because = f" ({printable(row.because)})" if row.because else ""
    where = (row.device.type, row.dtype, attention, row.implementation)
    lines = [
        f"{printable(row.layer)}, {printable(row.case)}, {printable(metric_label)}: {row.verdict}{_headline(row)}",
        f"  predicted   {figure_of(row.metric, row.predicted)}{_band_and_source(row)}",
        f"  measured    {figure_of(row.metric, row.measured)}",
        *_time_lines(row),
        *_baseline_lines(row),
        f"  difference  {signed_of(row.metric, row.difference)}{_percent(row)} of the measured"
        if row.measured
        else f"  difference  {signed_of(row.metric, row.difference)}",
        f"  allowed     {allowed(row.rtol)}, by {printable(row.rule)}{because}",
        f"  reason      {printable(row.reason)}",
        f"  at          {', '.join(f'{printable(name)}={size}' for name, size in row.sizes.items()) or 'no sizes'}",
        f"  measured on {printable(', '.join(filter(None, where)))}",
    ]
    if row.notes:
        lines.append(f"              {printable(row.notes)}")
    if is_time(row.metric) and not calls:
        pass  # a clock sees no terms to set beside those of the prediction
    elif ops:
        lines += ["", *_terms(row, ops, calls, width)]
    elif calls:
        lines += ["", *_counted(calls, width)]
    return "\n".join(lines)


def _headline(row: Row) -> str:
    """Say how far off a row is: from what is stored, if that is why it fails."""
    if row.baseline is not None and row.reason.startswith(REGRESSION):
        return f", {change_text(row.baseline)}"
    return _percent(row)


def _percent(row: Row) -> str:
    if row.relative_difference is None or math.isnan(row.relative_difference):
        return ""
    return f", {row.relative_difference:+.1%}" if is_time(row.metric) else f", {row.relative_difference:+.3%}"


def _band_and_source(row: Row) -> str:
    """Say what the prediction's own doubt leaves open, and where it comes from."""
    band = "" if row.band is None else f", {' to '.join(figure_of(row.metric, end) for end in row.band)}"
    return f"{band}, by {printable(row.source)}" if row.source else band


def _time_lines(row: Row) -> list[str]:
    """Say how sure a time is: mean and standard deviation over the repeats, and the spread."""
    if row.spread is None:
        return []
    details = row.details
    counted = (f"{details[name]} {name}" for name in ("rounds", "repeats", "retries") if details.get(name))
    mean = f"mean {mean_and_deviation(row)}" if mean_and_deviation(row) else ""
    lines = [f"  spread      {share(row.spread)} of the measured"]
    return [f"              {', '.join(filter(None, (mean, *counted)))}", *lines] if mean else lines


def _baseline_lines(row: Row) -> list[str]:
    """Say what was stored, where, how far the measured is from it, and what stores it anew."""
    stored = row.baseline
    if stored is None or stored.measured is None:
        return []
    lines = [f"  stored      {figure_of(row.metric, stored.measured)}, in {printable(stored.source)}"]
    if stored.change is not Change.SAME:
        lines.append(f"  moved       {signed_of(row.metric, row.measured - stored.measured)}, {change_text(stored)}")
    if row.reason.startswith(REGRESSION):
        lines.append("  if meant    --dsocr-update-baseline stores it")
    return lines


def _terms(row: Row, ops: Sequence[Op], calls: Sequence[Call], width: int) -> list[str]:
    """Set the ops that the prediction is the sum of beside those that were seen; launches are told by their bytes.

    Those that agree are folded beside those that do not. Where all do, as in a regression that the prediction knows of,
    they are what there is to see.
    """
    _, unit = TERMS.get(row.metric, (row.metric, printable(row.metric)))
    shares = shares_of(row.metric, ops, row.predicted)
    pairs = aligned([share for _, share in shares], [call.count for call in calls])
    terms: list[_Term] = []
    differ = not all(pair.agrees for pair in pairs)
    for agrees, run in groupby(pairs, key=lambda pair: pair.agrees):
        block = list(run)
        if agrees and differ and len(block) > 2:
            terms.append(_Term(f"... {len(block)} terms agree"))
            continue
        for pair in block:
            terms += _pair_terms(pair, shares, calls)
    where = "!= is where they part ways" if differ else "they agree"
    heading = f"ops as predicted, and as the counter saw them ({where}):"
    shown = terms[:MAX_TERMS]
    table = _side_by_side(shown, unit)
    return [heading, *(table if _fits(table, width) else _stacked(shown, unit, width)), *_more(terms)]


def _pair_terms(pair: Pair, shares: Sequence[tuple[Op, Any]], calls: Sequence[Call]) -> list[_Term]:
    terms = []
    for index in range(max(len(pair.predicted), len(pair.counted))):
        term = _Term(mark="=" if pair.agrees else "!=")
        if index < len(pair.predicted):
            op, share = shares[pair.predicted[index]]
            sizes = " x ".join(str(size) for size in op.matmul) if op.matmul else ""
            term = term._replace(op=printable(op.name), kind=printable(op.kind), sizes=sizes, predicted=figure(share))
        if index < len(pair.counted):
            call = calls[pair.counted[index]]
            what = {"call": printable(call.op), "shapes": _shapes(call), "module": printable(call.module)}
            term = term._replace(counted=figure(call.count), **what)
        terms.append(term)
    return terms


def _side_by_side(terms: Sequence[_Term], unit: str) -> list[str]:
    headers = ["predicted op", "kernel", "b x m x n x k", unit, "", unit, "counted op", "in module"]
    rows = [[*one[:6], f"{one.call} {one.shapes}".strip(), one.module] for one in terms]
    return _table(rows, headers, ("left", "left", "left", "right", "center", "right", "left", "left"))


def _stacked(terms: Sequence[_Term], unit: str, width: int) -> list[str]:
    """Write what was counted below what was predicted, each on a line of its own."""
    figures = [text for one in terms for text in (one.predicted, one.counted)]
    room = width - _column(unit, figures) - len("  !=  ")
    rows: list[list[str]] = []
    for one in terms:
        if one.op:
            known = f", {one.kind}" if one.kind else ""
            text = _fitted(one.op, [("", f"{known} {one.sizes}"), ("", known)], room)
            rows.append([text, "" if one.mark == "=" and one.counted else one.mark, one.predicted])
        if one.counted:
            where = ", in " if one.module else ""
            text = _fitted(one.module, [(f"{one.call} {one.shapes}{where}", ""), (f"{one.call}{where}", "")], room - 2)
            rows.append([f"  {text}", one.mark, one.counted])
    return _table(rows, ["predicted op, and below it what was counted", "", unit], ("left", "right", "right"))


def _counted(calls: Sequence[Call], width: int) -> list[str]:
    rows = [
        [printable(call.module), printable(call.op), _shapes(call), figure(call.count)] for call in calls[:MAX_TERMS]
    ]
    table = _table(rows, ["name", "what", "shape", "count"], ("left", "left", "left", "right"))
    if not _fits(table, width):
        room = width - _column("count", [count for *_, count in rows]) - 2
        folded = [
            [_fitted(name, [("", f", {what} {shape}"), ("", f", {what}")], room), count]
            for name, what, shape, count in rows
        ]
        table = _table(folded, ["name, what, shape", "count"], ("left", "right"))
    return ["what was counted:", *table, *_more(calls)]


def _shapes(call: Call) -> str:
    # a bias comes first in addmm, last in a convolution
    shapes = call.shapes[:2] if "conv" in call.op else call.shapes[-2:]
    return " @ ".join("x".join(str(size) for size in shape) or "scalar" for shape in shapes)


def _table(rows: list[list[str]], headers: list[str], alignment: tuple[str, ...]) -> list[str]:
    return tabulate(rows, headers, colalign=alignment, disable_numparse=True, preserve_whitespace=True).splitlines()


def _column(header: str, cells: Sequence[str]) -> int:
    """Tell how wide tabulate makes a column: it puts two blanks after a header."""
    return max(len(header) + 2, *map(len, cells))


def _fits(table: Sequence[str], width: int) -> bool:
    return max(map(len, table)) <= width


def _more(terms: Sequence[Any]) -> list[str]:
    left_out = len(terms) - MAX_TERMS
    return [f"... and {left_out} more"] if left_out > 0 else []


def _fitted(name: str, sides: Sequence[tuple[str, str]], room: int) -> str:
    """Say what stands before and after a name, the first of ``sides`` that leaves it room; it may lose its middle."""
    for before, after in sides:
        left = room - len(before) - len(after)
        if left >= min(len(name), SHORTEST):
            break
    return _middle_cut(f"{before}{_middle_cut(name, left)}{after}".rstrip(), room)


def _middle_cut(name: str, width: int) -> str:
    """Cut a name to a width in its middle: paths differ at their ends."""
    if len(name) <= width:
        return name
    head = max(width - 1, 0) // 3
    return f"{name[:head]}…{name[len(name) - max(width - 1, 0) + head :]}"
