"""The trace: what is a launch, what it moves, and what work it does beside matrix work."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from dsocr_cost import DecoderConfig, SamConfig
from dsocr_cost.layers import Block, DeepseekV2DecoderLayer
from pytest_dsocr import Case
from pytest_dsocr.measure.memo import MetaMemo
from pytest_dsocr.measure.trace import trace
from pytest_dsocr.reference.transformers import TransformersReference

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])


def moved(run, touched=None):
    """List each launch by its name, the bytes that it reads and those that it writes."""
    return [(one.name.split(".")[0], one.read_bytes, one.write_bytes) for one in trace(run, touched)]


def flops(run):
    return [one.cuda_flops for one in trace(run)]


def made(*shape, device="meta", dtype=torch.float32):
    return torch.zeros(shape, device=device, dtype=dtype)


# --- what is no launch ---


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda x: x.view(6, 4), id="view"),
        pytest.param(lambda x: x.t(), id="transposed"),
        pytest.param(lambda x: x[1:3], id="slice"),
        pytest.param(lambda x: x[None].expand(5, -1, -1), id="expanded"),
        pytest.param(lambda x: x.reshape(24), id="a reshape of what is in order"),
        pytest.param(lambda x: x.chunk(2), id="several views at once"),
        pytest.param(lambda x: torch.ops.aten._unsafe_view(x, [24]), id="a view that does not say so"),  # noqa: SLF001
        pytest.param(lambda x: x.to(torch.float32), id="a conversion to what it is"),
        pytest.param(torch.empty_like, id="empty_like"),
        pytest.param(lambda x: x.new_empty(7), id="new_empty"),
        pytest.param(lambda x: torch.empty(3, device=x.device), id="empty"),
        pytest.param(lambda x: torch.empty_strided((2, 3), (3, 1), device=x.device), id="empty_strided"),
        pytest.param(lambda x: functional.dropout(x, p=0.5, training=False), id="dropout outside of training"),
    ],
)
@DEVICES
def test_views_and_allocations_are_no_launches(run, device):
    x = made(4, 6, device=device)
    assert moved(lambda: run(x)) == []


def test_what_returns_no_tensor_is_no_launch():
    x = made(1, device="cpu")
    assert moved(x.item) == []


# --- what a launch moves, of fp32 tensors ---


@DEVICES
def test_a_launch_reads_its_inputs_and_writes_its_outputs(device):
    x, y = made(4, 6, device=device), made(4, 6, device=device, dtype=torch.bfloat16)
    assert moved(lambda: x + y) == [("aten::add", 24 * 4 + 24 * 2, 24 * 4)]


@DEVICES
def test_an_expanded_dimension_is_read_once(device):
    x, row = made(4, 6, device=device), made(1, 6, device=device)
    assert moved(lambda: x * row.expand(4, 6)) == [("aten::mul", (24 + 6) * 4, 24 * 4)]
    assert moved(lambda: row.expand(4, 6).contiguous()) == [("aten::clone", 6 * 4, 24 * 4)]
    assert moved(lambda: made(1, 1, device=device).expand(4, 6).exp())[-1] == ("aten::exp", 4, 24 * 4)


@DEVICES
def test_of_a_slice_only_what_it_shows_is_read(device):
    x = made(4, 6, device=device)
    assert moved(lambda: x[1:3].exp()) == [("aten::exp", 2 * 6 * 4, 2 * 6 * 4)]
    assert moved(lambda: x[:, :5].contiguous()) == [("aten::clone", 4 * 5 * 4, 4 * 5 * 4)]


@DEVICES
def test_work_in_place_reads_and_writes_what_it_changes(device):
    x, y = made(4, 6, device=device), made(4, 6, device=device)
    assert moved(lambda: x.add_(y)) == [("aten::add_", 2 * 24 * 4, 24 * 4)]
    assert moved(lambda: x.mul_(2.0)) == [("aten::mul_", 24 * 4, 24 * 4)]
    assert moved(lambda: x[0].neg_()) == [("aten::neg_", 6 * 4, 6 * 4)]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(lambda x, y: x.copy_(y), ("aten::copy_", 24 * 2, 24 * 4), id="copy_"),
        pytest.param(lambda x, y: x.fill_(1.0), ("aten::fill_", 0, 24 * 4), id="fill_"),
        pytest.param(lambda x, y: x.zero_(), ("aten::zero_", 0, 24 * 4), id="zero_"),
        pytest.param(lambda x, y: x[1:3].copy_(y[1:3]), ("aten::copy_", 12 * 2, 12 * 4), id="copy_ into a slice"),
        pytest.param(lambda x, y: x[0].fill_(1.0), ("aten::fill_", 0, 6 * 4), id="fill_ of a slice"),
    ],
)
@DEVICES
def test_a_copy_or_a_fill_does_not_read_what_it_writes_over(run, expected, device):
    x, y = made(4, 6, device=device), made(4, 6, device=device, dtype=torch.bfloat16)
    assert moved(lambda: run(x, y)) == [expected]
    assert flops(lambda: run(x, y)) == [0]


@DEVICES
def test_a_lookup_reads_what_it_takes_and_its_indices(device):
    """3 of 100 rows of 6 numbers, by 3 int64: not the table."""
    table, indices = made(100, 6, device=device), made(3, device=device, dtype=torch.int64)
    expected = (3 * 6 * 4 + 3 * 8, 3 * 6 * 4)
    assert moved(lambda: table[indices]) == [("aten::index", *expected)]
    assert moved(lambda: functional.embedding(indices, table)) == [("aten::embedding", *expected)]
    assert moved(lambda: table.index_select(0, indices)) == [("aten::index_select", *expected)]
    every = indices[:, None].expand(3, 6)
    assert moved(lambda: torch.gather(table, 0, every)) == [("aten::gather", *expected)]


@DEVICES
def test_writing_by_indices_moves_the_values_and_the_indices(device):
    """Not the 100 rows that they are put into."""
    table, indices, values = (
        made(100, 6, device=device),
        made(3, device=device, dtype=torch.int64),
        made(3, 6, device=device),
    )

    def run():
        table[indices] = values

    assert moved(run) == [("aten::index_put_", 3 * 8 + 3 * 6 * 4, 3 * 6 * 4)]
    assert flops(run) == [0]


def test_a_state_of_random_numbers_does_not_count():
    """On meta a flash kernel returns such, of uint64, beside its output, its log-sums and two empty tensors."""
    query = made(2, 3, 8, 16, dtype=torch.bfloat16)
    ((name, read, written),) = moved(
        lambda: torch.ops.aten._scaled_dot_product_flash_attention(query, query, query)  # noqa: SLF001
    )
    assert name == "aten::_scaled_dot_product_flash_attention"
    assert (read, written) == (3 * query.numel() * 2, query.numel() * 2 + 2 * 3 * 8 * 4)


# --- experts ---


def grouped(shares, device="cpu"):
    """Multiply the rows of each expert by its 16 x 32 weight, in bfloat16."""
    rows, weight = (
        made(sum(shares), 16, device=device, dtype=torch.bfloat16),
        made(len(shares), 16, 32, device=device, dtype=torch.bfloat16),
    )
    ends = torch.tensor(shares, dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)
    return lambda: functional.grouped_mm(rows, weight, offs=ends)


@given(st.lists(st.sampled_from([0, 1, 5]), min_size=1, max_size=6).filter(any))
def test_with_data_a_grouped_matmul_reads_the_experts_that_got_rows(shares):
    """And all rows, and an int32 an expert, whatever is expected of even routing."""
    used, rows = sum(share > 0 for share in shares), sum(shares)
    expected = 2 * rows * 16 + 2 * used * 16 * 32 + 4 * len(shares), 2 * rows * 32
    assert moved(grouped(shares), lambda *_: 99) == [("aten::_grouped_mm", *expected)]
    assert flops(grouped(shares)) == [0]


@pytest.mark.parametrize(
    ("touched", "used"),
    [
        pytest.param(lambda experts, rows: experts - rows // 4, 3 - 2, id="as expected"),
        pytest.param(None, 3, id="as many as there can be"),
    ],
)
def test_without_data_it_reads_as_many_as_are_expected(touched, used):
    """8 rows, 3 experts."""
    run = grouped((4, 4, 0), "meta")
    assert moved(run, touched) == [("aten::_grouped_mm", 2 * 8 * 16 + 2 * used * 16 * 32 + 4 * 3, 2 * 8 * 32)]


def test_without_data_no_more_experts_are_read_than_there_are_rows():
    assert moved(grouped((2, 0, 0), "meta"))[0][1] == 2 * 2 * 16 + 2 * 2 * 16 * 32 + 4 * 3


# --- a fused attention ---


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("keys", "mask", "options"),
    [
        pytest.param(4, None, {}, id="plain"),
        pytest.param(4, None, {"is_causal": True}, id="causal"),
        pytest.param(4, "numbers", {}, id="a bias"),
        pytest.param(4, "bools", {}, id="a mask of bools, which is turned into numbers first"),
        pytest.param(2, None, {"enable_gqa": True}, id="heads that share keys"),
    ],
)
def test_on_meta_it_stays_whole_as_what_a_cpu_launches(keys, mask, options, dtype):
    """2 of 4 heads, 3 queries, 5 keys, 16 channels."""

    def run(device):
        query, key = made(2, 4, 3, 16, device=device, dtype=dtype), made(2, keys, 5, 16, device=device, dtype=dtype)
        masks = {"numbers": made(2, 4, 3, 5, device=device, dtype=dtype), "bools": made(3, 5, device=device) == 0}
        made_mask = masks.get(mask)
        return lambda: functional.scaled_dot_product_attention(query, key, key, attn_mask=made_mask, **options)

    on_meta, on_cpu = trace(run("meta")), trace(run("cpu"))
    assert on_meta == on_cpu
    assert [one.name.split(".")[0] for one in on_meta][-1] == "aten::_scaled_dot_product_flash_attention_for_cpu"
    assert len(on_meta) == (4 if mask == "bools" else 1)


def test_its_work_is_no_cuda_flops():
    query = made(1, 2, 3, 16)
    assert flops(lambda: functional.scaled_dot_product_attention(query, query, query)) == [0]


# --- work that is no matrix work, of 4 x 6 numbers ---


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(lambda x: x + 1, 24, id="pointwise: an output element"),
        pytest.param(lambda x: x[:1] + x, 24, id="pointwise over what is broadcast"),
        pytest.param(functional.gelu, 24, id="activation"),
        pytest.param(lambda x: torch.where(x > 0, x, x), [24, 24], id="comparison and choice"),
        pytest.param(lambda x: x.sum(dim=-1), 24, id="sum: an input element"),
        pytest.param(lambda x: x.mean(dim=-1), 24, id="mean"),
        pytest.param(lambda x: x.softmax(dim=-1), 24, id="softmax"),
        pytest.param(lambda x: functional.layer_norm(x, (6,)), 24, id="layer norm"),
        pytest.param(lambda x: x.sort(dim=-1), 24, id="sorting"),
        pytest.param(lambda x: x.topk(2, dim=-1), 24, id="top-k"),
        pytest.param(lambda x: x.cumsum(dim=-1), 24, id="cumulative sum"),
        pytest.param(lambda x: x.argmax(dim=-1), 24, id="argmax"),
        pytest.param(lambda x: functional.interpolate(x[None], size=9, mode="linear"), 4 * 9, id="interpolation"),
        pytest.param(lambda x: x // 2, 24, id="whole division"),
        pytest.param(lambda x: x.clone(), 0, id="copy"),
        pytest.param(lambda x: x.to(torch.bfloat16), 0, id="cast"),
        pytest.param(lambda x: torch.cat([x, x]), 0, id="concatenation"),
        pytest.param(lambda x: functional.pad(x, (0, 1)), 0, id="padding"),
        pytest.param(lambda x: torch.arange(9, device=x.device), 0, id="numbers from nothing"),
        pytest.param(lambda x: x @ x.T, 0, id="matmul"),
        pytest.param(lambda x: functional.linear(x, x, x[:, 0]), 0, id="linear with a bias"),
        pytest.param(lambda x: functional.conv1d(x[None], x[:, :4, None]), 0, id="convolution"),
    ],
)
@DEVICES
def test_cuda_flops(run, expected, device):
    x = made(4, 6, device=device)
    assert flops(lambda: run(x)) == (expected if isinstance(expected, list) else [expected])


# --- the record ---


def test_a_launch_says_where_it_ran_and_on_what():
    model = torch.nn.ModuleDict({"inner": torch.nn.GELU()})
    model.forward = lambda x: model["inner"](x) * x
    x = made(2, 3)
    assert [(one.name, one.module, one.shapes) for one in trace(lambda: model(x))] == [
        ("aten::gelu", "inner", ((2, 3),)),
        ("aten::mul.Tensor", "", ((2, 3), (2, 3))),
    ]


def test_no_gradients_are_made():
    weight = torch.ones(4, 4, requires_grad=True)
    assert [one[0] for one in moved(lambda: (torch.ones(2, 4) @ weight).sum())] == [
        "aten::ones",
        "aten::mm",
        "aten::sum",
    ]


@pytest.mark.parametrize(
    ("layer", "case"),
    [
        pytest.param(DeepseekV2DecoderLayer(DecoderConfig(), 1), Case("x", batch=2, q_len=9, kv_len=9), id="MoE layer"),
        pytest.param(Block.from_config(SamConfig(), windowed=True), Case("x", batch=1, height=20, width=17), id="SAM"),
    ],
)
def test_a_trace_is_the_same_with_and_without_a_memo(monkeypatch, layer, case):
    subject = TransformersReference().subject(layer, case, device="meta", dtype="bfloat16", attention="sdpa")

    def traced(memo=None):
        args, kwargs = subject.inputs()
        return trace(lambda: subject.module(*args, **kwargs), subject.touched, memo)

    memo = MetaMemo()
    remembered = [traced(memo) for _ in range(2)]
    monkeypatch.setattr(MetaMemo, "_key", lambda *_: None)
    plain = traced()
    assert remembered == [plain, plain]
    assert len(plain) > 30
