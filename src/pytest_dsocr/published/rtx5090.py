"""The page's part on kernels that were timed on an RTX 5090: each as measured, and as its architecture predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dsocr_cost import Matmul
from dsocr_cost.architecture import architecture_of, profile_of
from dsocr_cost.device import find_device
from dsocr_cost.efficiency import limits
from dsocr_cost.kernels import NOTHING, Tensor, cast, fused_attention, linear

from ..report.columns import github_table
from .grids import table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsocr_cost import Op

__all__ = ["DEVICE", "KERNELS", "TimedKernel", "kernels_section", "timed_kernels"]

DEVICE = "RTX 5090"
_BF16, _FP32 = 2, 4

_INTRO = """\
## Kernels on an RTX 5090

Ten kernels of this model that were timed on a real card, against `profile_of(find_device("RTX 5090"))`: its datasheet,
and the efficiencies of its architecture, `{architecture}`. Those were fitted to public tables of another card with the
same chip, the {fitted_on}, and to no row of this table.

- **measured**, **predicted**: microseconds of one launch.
- **error**: of the prediction, relative to the measurement; {within} of {count} are within 30 %.
- **roofline**: the longer of FLOPs at the datasheet's peak and bytes at its bandwidth, and its error.
"""

_HOW = """\
### How these were obtained

The forms are in [decision 9](decisions/0009-kernel-time.md), the parameters and their sources in
`dsocr_cost/efficiencies.toml`. Per SM they are taken over as they are; peak, bandwidth, cache and the number of SMs are
the card's own.

Three rules say how a kernel of torch differs from the tables' calls. They are physical, but **they were written with
these ten measurements in sight**, so that the attention rows agree with them, and do not prove them:

1. *A call of a framework is more than a kernel.* It has several launches and writes keys and values to a cache. One
   kernel begins, and moves bytes, as a matmul of the same card does. Without this, attention of CLIP and of
   the decoder is 33 to 37 % too slow.
2. *A bias is read inside of the softmax*, so its bytes add to the time of the compute, and are not hidden behind it.
   With them hidden, SAM's attentions are 38 and 42 % too fast.
3. *Only the products scale with the peak.* The tables' card has twice the rate of matrix work an SM, with the same
   softmax and the same loads. A tile's time is that of its products and a rest that stays as it is. With all of it
   scaled, the decoder's prefill is 51 % too slow.

For a single query torch shares out the keys of a head over blocks, which the kernel of the table does not: it
would take 2.6 times as long as measured. The four matmuls and the copy need none of these rules.

The datasheet's peak is that of 2407 MHz. The LM head in prefill reached it to the last per cent, though a library's
tiles cover 1024 rows for its 913: the card clocked higher. The expert's gate was timed at the base clock.
The published FLOPs of that head, 302,165,196,800, are 5 in a million more than its sizes give.
"""


@dataclass(frozen=True, slots=True)
class TimedKernel:
    """A row of the table: the kernel, its op, and the seconds that were measured, predicted and at the roofline."""

    name: str
    shape: str
    op: Op
    measured_s: float
    predicted_s: float
    roofline_s: float

    @property
    def error(self) -> float:
        """Of the prediction, relative to the measurement."""
        return self.predicted_s / self.measured_s - 1


def _attention(site: str, heads: int, queries: int, keys: int, head_dim: int, *, bias: bool = False) -> Op:
    scores = Matmul(heads, queries, keys, head_dim)
    added = Tensor(heads * queries * keys, _BF16) if bias else NOTHING
    return replace(fused_attention("sdpa", _BF16, scores, heads * keys * head_dim, added), site=site)


(_TO_FP32,) = cast("logits.float", 913 * 129280, _BF16, _FP32)

KERNELS: Mapping[str, Op] = {
    "sam_lin1_gemm": linear("lin1", _BF16, 9600, 768, 3072, bias=True),
    "lm_head_gemm_prefill": linear("lm_head", _BF16, 913, 1280, 129280),
    "lm_head_gemv_decode": linear("lm_head", _BF16, 1, 1280, 129280),
    "logits_to_fp32_copy": _TO_FP32,
    "sam_attention_window": _attention("vision.Attention.sdpa", 54 * 12, 14 * 14, 14 * 14, 64, bias=True),
    "sam_attention_global": _attention("vision.Attention.sdpa", 6 * 12, 40 * 40, 40 * 40, 64, bias=True),
    "clip_attention": _attention("vision.NoTPAttention.sdpa", 6 * 16, 101, 101, 64),
    "decoder_attention_prefill": _attention("llama.LlamaAttention.sdpa", 10, 913, 913, 128),
    "decoder_attention_decode": _attention("llama.LlamaAttention.sdpa", 10, 1, 945, 128),
    "expert_gate_gemv": linear("gate_proj", _BF16, 1, 1280, 896),
}
"""The op of each row, by its name."""


def timed_kernels() -> list[TimedKernel]:
    """Read the table that ships with the package, and predict each row."""
    profile = profile_of(find_device(DEVICE))
    machine = profile.machine
    kernels = []
    for row in table_rows("rtx5090_kernels"):
        op = KERNELS[row["kernel"]]
        compute = limits(op, machine, _BF16).compute_s
        roofline = max(float(compute), float(op.io_bytes) / machine.bandwidth_bytes_per_s)
        predicted = float(profile.time(op, _BF16).seconds)
        kernels.append(TimedKernel(row["kernel"], row["shape"], op, float(row["time_us"]) / 1e6, predicted, roofline))
    return kernels


def kernels_section() -> str:
    """Write the part of the page."""
    kernels, architecture = timed_kernels(), architecture_of(find_device(DEVICE))
    words = {
        "architecture": architecture.name,
        "fitted_on": architecture.fitted_on,
        "within": sum(abs(kernel.error) <= 0.3 for kernel in kernels),
        "count": len(kernels),
    }
    headers = ["kernel", "sizes", "measured (us)", "predicted (us)", "error", "roofline (us)", "error"]
    rows = [
        [
            f"`{kernel.name}`",
            kernel.shape,
            _us(kernel.measured_s),
            _us(kernel.predicted_s),
            f"{kernel.error:+.0%}",
            _us(kernel.roofline_s),
            f"{kernel.roofline_s / kernel.measured_s - 1:+.0%}",
        ]
        for kernel in kernels
    ]
    return "\n".join([_INTRO.format(**words), github_table(headers, rows, "llrrrrr"), "", _HOW])


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}" if seconds < 1e-4 else f"{seconds * 1e6:.0f}"
