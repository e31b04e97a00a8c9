"""CUDA FLOPs, op by op: one an output element of pointwise work, one an input element of a reduction, else none."""

import pytest
import torch
from torch.nn import functional

from pytest_dsocr import Subject
from pytest_dsocr.measure.op_kinds import Kind, op_of
from pytest_dsocr.measure.trace import trace
from pytest_dsocr.measure.traced import TraceMeasurer, Tracer

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])
IMAGE = (2, 4, 6, 8)  # 384 numbers, unless an op is named with its own


def flops(run, device, shape=IMAGE):
    x = torch.zeros(shape, device=device)
    return trace(lambda: run(x))


REDUCTIONS = {
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(1),
    "layer_norm": lambda x: functional.layer_norm(x, (8,)),
    "group_norm": lambda x: functional.group_norm(x, 2),
    "batch_norm": lambda x: functional.batch_norm(x, None, None, training=True),
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: x.cumprod(-1),
    "cummax": lambda x: x.cummax(-1),
    "cummin": lambda x: x.cummin(-1),
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "sum": lambda x: x.sum(),
    "sum over a dimension": lambda x: x.sum(1),
    "mean": lambda x: x.mean((2, 3)),
    "prod": lambda x: x.prod(),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "var": lambda x: x.var(-1),
    "std": lambda x: x.std(),
    "var_mean": lambda x: torch.var_mean(x, dim=-1),
    "max": lambda x: x.max(),
    "max with indices": lambda x: x.max(-1),
    "min with indices": lambda x: x.min(1),
    "amax": lambda x: x.amax(-1),
    "aminmax": lambda x: x.aminmax(dim=-1),
    "argmax": lambda x: x.argmax(-1),
    "argmin": lambda x: x.argmin(),
    "any": lambda x: x.any(-1),
    "all": lambda x: x.all(),
    "topk": lambda x: x.topk(2),
    "sort": lambda x: x.sort(-1),
    "median": lambda x: x.median(-1),
    "kthvalue": lambda x: x.kthvalue(2),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, 2),
    "avg_pool2d, overlapping": lambda x: functional.avg_pool2d(x, 3, 1),
    "max_pool2d": lambda x: functional.max_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: functional.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_avg_pool2d to one": lambda x: functional.adaptive_avg_pool2d(x, 1),
    "adaptive_max_pool2d": lambda x: functional.adaptive_max_pool2d(x, (3, 2)),
    "mse_loss": lambda x: functional.mse_loss(x, x),
    "smooth_l1_loss": lambda x: functional.smooth_l1_loss(x, x),
}


@pytest.mark.parametrize("run", REDUCTIONS.values(), ids=REDUCTIONS)
@DEVICES
def test_a_reduction_works_once_an_input_element(run, device):
    (launch,) = flops(run, device)
    assert launch.cuda_flops == 2 * 4 * 6 * 8


POINTWISE = {
    "add": (lambda x: x + 1, 384),
    "maximum": (lambda x: torch.maximum(x, x), 384),
    "max of two": (lambda x: torch.max(x, x), 384),
    "clamp": (lambda x: x.clamp(0, 1), 384),
    "clamp in place": (lambda x: x.clamp_(0, 1), 384),
    "where": (lambda x: torch.where(x > 0, x, x), 384),
    "floor_divide": (lambda x: x // 2, 384),
    "floor_divide in place": (lambda x: x.floor_divide_(2), 384),
    "remainder": (lambda x: x % 2, 384),
    "hardswish": (functional.hardswish, 384),
    "hardswish in place": (lambda x: functional.hardswish(x, inplace=True), 384),
    "gelu": (functional.gelu, 384),
    "mish": (functional.mish, 384),
    "logsigmoid": (functional.logsigmoid, 384),
    "prelu": (lambda x: functional.prelu(x, torch.zeros(4, device=x.device)), 384),
    "glu: half as many come out": (lambda x: functional.glu(x, -1), 384 // 2),
    "masked_fill": (lambda x: x.masked_fill(x > 0, 1.0), 384),
    "equality in place": (lambda x: x.eq_(1), 384),
    "bucketize": (lambda x: torch.bucketize(x, torch.zeros(9, device=x.device)), 384),
    "searchsorted": (lambda x: torch.searchsorted(torch.zeros(9, device=x.device), x), 384),
    "isin": (lambda x: torch.isin(x, x[0, 0, 0]), 384),
    "upsample_nearest2d": (lambda x: functional.interpolate(x, (12, 8)), 2 * 384),
    "upsample_nearest_exact2d": (lambda x: functional.interpolate(x, (12, 8), mode="nearest-exact"), 2 * 384),
    "upsample_bilinear2d": (lambda x: functional.interpolate(x, (12, 8), mode="bilinear"), 2 * 384),
    "upsample_bilinear2d, antialiased": (
        lambda x: functional.interpolate(x, (12, 8), mode="bilinear", antialias=True),
        2 * 384,
    ),
    "upsample_bicubic2d": (lambda x: functional.interpolate(x, (12, 8), mode="bicubic"), 2 * 384),
    "upsample_bicubic2d, antialiased": (
        lambda x: functional.interpolate(x, (3, 4), mode="bicubic", antialias=True),
        384 // 4,
    ),
    "grid_sample": (
        lambda x: functional.grid_sample(x, torch.zeros(2, 5, 5, 2, device=x.device), align_corners=False),
        2 * 4 * 5 * 5,
    ),
}


@pytest.mark.parametrize(("run", "expected"), POINTWISE.values(), ids=POINTWISE)
@DEVICES
def test_pointwise_work_is_once_an_output_element(run, expected, device):
    assert flops(run, device)[-1].cuda_flops == expected


NO_WORK = {
    "clone": torch.clone,
    "cast": lambda x: x.half(),
    "cat": lambda x: torch.cat([x, x]),
    "stack": lambda x: torch.stack([x, x]),
    "pad": lambda x: functional.pad(x, (1, 1)),
    "reflected padding": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1, 0),
    "repeat": lambda x: x.repeat(2, 1, 1, 1),
    "tril": torch.tril,
    "triu in place": lambda x: x.triu_(),
    "pixel_shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "unfold": lambda x: functional.unfold(x, 2),
    "index_select": lambda x: x.index_select(0, torch.zeros(1, dtype=torch.int64, device=x.device)),
    "slice_scatter": lambda x: x.slice_scatter(x[:1], 0, 0, 1),
    "zeros_like": torch.zeros_like,
    "matmul": lambda x: x[0, 0] @ x[0, 0].T,
    "convolution": lambda x: functional.conv2d(x, torch.zeros(1, 4, 3, 3, device=x.device)),
}


@pytest.mark.parametrize("run", NO_WORK.values(), ids=NO_WORK)
@DEVICES
def test_copies_lookups_and_matrix_work_are_none(run, device):
    assert flops(run, device)[-1].cuda_flops == 0


def test_a_fused_rms_norm_is_a_reduction():
    """No CPU has it: there, it is a square, a mean, a sum, a root and a product."""
    assert op_of(torch.ops.aten._fused_rms_norm.default).kind is Kind.REDUCTION  # noqa: SLF001 - it has no public name


def test_fold_adds_up_what_overlaps():
    """2 images of 4 x 2 x 2 values at each of 5 x 7 places."""
    (launch,) = flops(lambda x: functional.fold(x, (6, 8), 2), "cpu", (2, 4 * 2 * 2, 5 * 7))
    assert launch.cuda_flops == 2 * (4 * 2 * 2) * (5 * 7)


# --- ops that nobody knows ---


@torch.library.custom_op("dsocr_unit::rotate", mutates_args=())
def external_rotate(a: torch.Tensor) -> torch.Tensor:
    """Turn by a kernel that is not torch's."""
    return a.flip(0)


def measured(metric, run):
    return TraceMeasurer(metric, Tracer()).measure(Subject(run, lambda: ((torch.zeros(4, 6),), {})), device="cpu")


@pytest.mark.parametrize(
    ("run", "name"),
    [
        pytest.param(external_rotate, "dsocr_unit::rotate", id="an op from outside of torch"),
        pytest.param(torch.fft.rfft, "aten::_fft_r2c", id="an op that is neither pointwise nor a reduction"),
    ],
)
def test_an_op_of_unknown_work_makes_cuda_flops_an_error(run, name):
    """Its bytes and its launch are those of any op."""
    problem = measured("cuda_flops", lambda x: run(x)).problem
    assert problem == f"{name} ran 1 times (in the top level), of which it is not known what work they do"
    assert measured("launches", lambda x: run(x)).problem == ""


def test_every_op_that_torch_calls_pointwise_or_a_reduction_is_taken_for_one():
    """All but a copy, and ``positive``, which returns what it is given."""
    ops = [getattr(packet, name) for packet in packets() for name in packet.overloads()]
    assert len(ops) > 2000
    tags = {Kind.POINTWISE: torch.Tag.pointwise, Kind.REDUCTION: torch.Tag.reduction}
    others = {op.name() for op in ops for kind, tag in tags.items() if tag in op.tags and op_of(op).kind is not kind}
    assert others == {"aten::clone", "aten::positive"}


def packets():
    names = {name.partition("::")[2].split(".")[0] for name in torch._C._dispatch_get_all_op_names()}  # noqa: SLF001
    return [packet for name in sorted(names) if (packet := getattr(torch.ops.aten, name, None)) is not None]


def test_the_grouped_matmul_of_transformers_moves_what_that_of_torch_does():
    """8 rows for the first of 3 experts of 16 x 32, in fp32: no CUDA FLOPs, one expert read."""
    from transformers.integrations import moe  # noqa: F401 - it brings the op

    rows, weight = torch.zeros(8, 16), torch.zeros(3, 16, 32)
    ends = torch.tensor([8, 8, 8], dtype=torch.int32)
    (launch,) = trace(lambda: torch.ops.transformers.grouped_mm_fallback(rows, weight, ends))
    assert launch.cuda_flops == 0
    assert (launch.read_bytes, launch.write_bytes) == (4 * (8 * 16 + 16 * 32 + 3), 4 * 8 * 32)
    assert op_of(torch.ops.transformers.grouped_mm_fallback.default).kind is Kind.MATRIX
