"""Writes docs/layers.md: every layer, how to make it, and the sizes that its ``ops`` takes."""

import inspect
from pathlib import Path

from tabulate import tabulate

from dsocr_cost.layers import LAYERS

INTRO = """\
# Layers

Written by `make pages`; a test fails when it is out of date. All are in `dsocr_cost.layers`; the part before the dot is
their group in names and tables. Where a class has `from_config`, it takes the part of `DeepseekOCRConfig` of the same
name: `config.sam`, `config.clip`, `config.decoder`.

`ops(**sizes, execution=Execution(...))` yields every kernel that the implementation launches, in order, with its FLOPs
and bytes; `launches` is 0 for one that the sizes at hand make needless. A size is a whole number, or an integer array
that broadcasts. `params` counts parameters.
"""


def layers_page() -> str:
    """Describe the layers from their own signatures and docstrings."""
    rows = []
    for name, kind in LAYERS.items():
        sizes = [size for size in inspect.signature(kind.ops).parameters if size not in ("self", "execution")]
        ops = inspect.getdoc(kind.ops).splitlines()[0].replace("``", "`").replace("|", "\\|")
        fields = ", ".join(inspect.signature(kind).parameters)
        made = f"`{kind.__name__}({fields})`" + (", `from_config`" if hasattr(kind, "from_config") else "")
        rows.append([f"`{name}`", made, ", ".join(f"`{size}`" for size in sizes), ops])
    table = tabulate(rows, ["layer", "made by", "sizes", "what `ops` prices"], tablefmt="github")
    return f"{INTRO}\n{table}\n"


if __name__ == "__main__":
    Path(__file__).with_name("layers.md").write_text(layers_page(), encoding="utf-8")
