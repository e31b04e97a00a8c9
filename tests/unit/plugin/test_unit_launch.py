"""What a launch reads, writes and works out, where an op writes its arguments, or a part of them."""

import pytest
import torch

from pytest_dsocr.measure.trace import trace

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])

ROW, ALL = 6 * 4, 24 * 4  # bytes of a row, and of 4 rows, of 6 numbers in fp32


def made(*shape, device, dtype=torch.float32):
    return torch.zeros(shape, device=device, dtype=dtype)


def moved(run, device, *shapes):
    """List each launch by its name, the bytes that it reads and writes, and its CUDA FLOPs."""
    tensors = [made(*shape, device=device) for shape in shapes]
    return [
        (one.name.split(".")[0].removeprefix("aten::"), one.read_bytes, one.write_bytes, one.cuda_flops)
        for one in trace(lambda: run(*tensors))
    ]


# --- what is no launch ---


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda x: x.t_(), id="t_"),
        pytest.param(lambda x: x.squeeze_(), id="squeeze_"),
        pytest.param(lambda x: x.unsqueeze_(0), id="unsqueeze_"),
        pytest.param(lambda x: x.transpose_(0, 1), id="transpose_"),
        pytest.param(lambda x: x.as_strided_((6,), (1,)), id="as_strided_"),
        pytest.param(lambda x: x.detach_(), id="detach_"),
        pytest.param(lambda x: x.swapaxes_(0, 1), id="swapaxes_"),
        pytest.param(lambda x: x.resize_(2, 6), id="resize_"),
        pytest.param(lambda x: x.set_(x), id="set_"),
    ],
)
@DEVICES
def test_a_view_in_place_is_no_launch(run, device):
    assert moved(run, device, (4, 6)) == []


# --- numbers from nothing ---


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(torch.zeros_like, id="zeros_like"),
        pytest.param(torch.ones_like, id="ones_like"),
        pytest.param(lambda x: torch.full_like(x, 7.0), id="full_like"),
        pytest.param(torch.rand_like, id="rand_like"),
        pytest.param(torch.randn_like, id="randn_like"),
        pytest.param(lambda x: torch.randint_like(x, 9), id="randint_like"),
        pytest.param(lambda x: x.new_zeros(4, 6), id="new_zeros"),
        pytest.param(lambda x: x.new_ones(4, 6), id="new_ones"),
        pytest.param(lambda x: x.new_full((4, 6), 7.0), id="new_full"),
        pytest.param(lambda x: x.bernoulli_(0.5), id="bernoulli_"),
        pytest.param(lambda x: x.normal_(), id="normal_"),
        pytest.param(lambda x: x.uniform_(), id="uniform_"),
        pytest.param(lambda x: torch.zeros(4, 6, out=x), id="zeros, into something"),
    ],
)
@DEVICES
def test_a_template_is_not_read(run, device):
    """Nor is what random numbers are written over."""
    ((_, *figures),) = moved(run, device, (4, 6))
    assert figures == [0, ALL, 0]


@DEVICES
def test_random_numbers_may_depend_on_what_is_read(device):
    assert moved(torch.bernoulli, device, (4, 6)) == [("bernoulli", ALL, ALL, 0)]


# --- ops that write an argument ---


@DEVICES
def test_an_output_that_is_given_is_written_and_not_read(device):
    def run(x, out):
        torch.add(x, x, out=out)

    assert moved(run, device, (4, 6), (4, 6)) == [("add", 2 * ALL, ALL, 24)]


@DEVICES
def test_an_output_that_is_an_input_too_is_read(device):
    assert moved(lambda x: torch.add(x, x, out=x), device, (4, 6)) == [("add", 2 * ALL, ALL, 24)]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(
            lambda x, y: torch._foreach_add_([x, y], [y, y]),
            ("_foreach_add_", 3 * ROW + ALL, ALL + ROW, 24 + 6),
            id="a sum in place, that returns nothing",
        ),
        pytest.param(
            lambda x, y: torch._foreach_mul_([x, y], 2.0),
            ("_foreach_mul_", ALL + ROW, ALL + ROW, 24 + 6),
            id="a product in place",
        ),
        pytest.param(
            lambda x, y: torch._foreach_copy_([x], [y.expand(4, 6)]),
            ("_foreach_copy_", ROW, ALL, 0),
            id="a copy",
        ),
        pytest.param(
            lambda x, y: torch._foreach_zero_([x, y]),
            ("_foreach_zero_", 0, ALL + ROW, 0),
            id="zeros",
        ),
        pytest.param(
            lambda x, y: torch._foreach_exp([x, y]),  # noqa: SLF001
            ("_foreach_exp", ALL + ROW, ALL + ROW, 24 + 6),
            id="exponentials, that are new",
        ),
        pytest.param(
            lambda x, y: torch._foreach_norm([x, y]),  # noqa: SLF001
            ("_foreach_norm", ALL + ROW, 2 * 4, 24 + 6),
            id="norms",
        ),
    ],
)
@DEVICES
def test_an_op_over_several_tensors_counts_all_of_them(run, expected, device):
    assert moved(run, device, (4, 6), (1, 6)) == [expected]


# --- ops that write a part: 3 rows of 100, of 6 numbers, by int64 indices ---


def indices(x, *shape):
    return torch.zeros(shape, dtype=torch.int64, device=x.device)


VALUES, INDEX = 3 * ROW, 3 * 8


@pytest.mark.parametrize(
    ("run", "read", "flops"),
    [
        pytest.param(lambda x, y: x.index_copy_(0, indices(x, 3), y), VALUES + INDEX, 0, id="index_copy_"),
        pytest.param(lambda x, y: x.index_add_(0, indices(x, 3), y), 2 * VALUES + INDEX, 18, id="index_add_"),
        pytest.param(lambda x, y: x.index_fill_(0, indices(x, 3), 1.0), INDEX, 0, id="index_fill_"),
        pytest.param(lambda x, y: x.scatter_(0, indices(x, 3, 6), y), VALUES + 6 * INDEX, 0, id="scatter_"),
        pytest.param(
            lambda x, y: x.scatter_(0, indices(x, 3, 6), y.repeat(2, 1)), VALUES + 6 * INDEX, 0, id="scatter_ of more"
        ),
        pytest.param(lambda x, y: x.scatter_(0, indices(x, 3, 6), 1.0), 6 * INDEX, 0, id="scatter_ of a figure"),
        pytest.param(
            lambda x, y: x.scatter_add_(0, indices(x, 3, 6), y), 2 * VALUES + 6 * INDEX, 18, id="scatter_add_"
        ),
        pytest.param(
            lambda x, y: x.scatter_reduce_(0, indices(x, 3, 6), y, "amax"),
            2 * VALUES + 6 * INDEX,
            18,
            id="scatter_reduce_",
        ),
        pytest.param(lambda x, y: x.index_put_((indices(x, 3),), y), VALUES + INDEX, 0, id="index_put_"),
        pytest.param(lambda x, y: x.index_put_((indices(x, 3),), y[0]), ROW + INDEX, 0, id="index_put_ of one row"),
        pytest.param(
            lambda x, y: x.index_put_((indices(x, 3),), y, accumulate=True),
            2 * VALUES + INDEX,
            18,
            id="index_put_ that adds",
        ),
        pytest.param(
            lambda x, y: x.index_put_((indices(x, 3, 1), indices(x, 6)), y),
            VALUES + (3 + 6) * 8,
            0,
            id="index_put_ by two indices",
        ),
        pytest.param(lambda x, y: x.put_(indices(x, 3, 6), y), VALUES + 6 * INDEX, 0, id="put_"),
    ],
)
@DEVICES
def test_of_what_values_are_put_into_only_the_places_count(run, read, flops, device):
    *_, (_, *figures) = moved(run, device, (100, 6), (3, 6))
    assert figures == [read, VALUES, flops]


def first(x, many):
    """Mask the first rows."""
    return torch.arange(x.shape[0], device=x.device)[:, None] < many


@pytest.mark.parametrize(
    ("run", "read"),
    [
        pytest.param(lambda x, y: x.masked_fill_(first(x, 3), 1.0), 100, id="masked_fill_"),
        pytest.param(
            lambda x, y: x.masked_fill_(first(x, 3), y[0, 0]), 100 + 4, id="masked_fill_ of a number on the device"
        ),
        pytest.param(
            lambda x, y: x.masked_scatter_(first(x, 3).expand(100, 6), y.repeat(9, 1)),
            100 + VALUES,
            id="masked_scatter_ of more",
        ),
        pytest.param(lambda x, y: x.index_put_((first(x, 3)[:, 0],), y), 100 + VALUES, id="index_put_ by a mask"),
    ],
)
def test_with_data_a_mask_says_what_is_written(run, read):
    *_, (name, *figures) = moved(run, "cpu", (100, 6), (3, 6))
    assert figures == [read, VALUES, 600 if name == "masked_fill_" else 0]


@pytest.mark.parametrize(
    ("run", "written"),
    [
        pytest.param(lambda x, y: x.masked_fill_(first(x, 3), 1.0), 600 * 4, id="all that there is"),
        pytest.param(lambda x, y: x.masked_scatter_(first(x, 3), y), VALUES, id="all values"),
        pytest.param(lambda x, y: x.index_put_((first(x, 3)[:, 0],), y), VALUES, id="all values by an index"),
        pytest.param(
            lambda x, y: x[:, 0].index_put_((first(x, 3)[:, 0],), y[0, 0]), 100 * 4, id="one value, everywhere"
        ),
    ],
)
def test_without_data_it_is_the_most_that_can_be(run, written):
    assert moved(run, "meta", (100, 6), (3, 6))[-1][2] == written


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(lambda x: torch.narrow_copy(x, 0, 2, 3), id="narrow_copy"),
        pytest.param(lambda x: torch.slice_copy(x, 0, 2, 5), id="slice_copy"),
        pytest.param(lambda x: torch.as_strided_copy(x, (3, 6), (6, 1)), id="as_strided_copy"),
        pytest.param(lambda x: x[2:5].clone(), id="clone of a slice"),
    ],
)
@DEVICES
def test_a_copy_of_a_part_reads_that_part(copy, device):
    ((_, *figures),) = moved(copy, device, (100, 6))
    assert figures == [VALUES, VALUES, 0]


@DEVICES
def test_a_copy_that_expands_reads_what_is_stored(device):
    assert moved(lambda x: torch.expand_copy(x, (4, 6)), device, (1, 6)) == [("expand_copy", ROW, ALL, 0)]
