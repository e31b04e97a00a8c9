"""Polynomials in named sizes are what Python's ints make of them, on ints and on arrays."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import SizeError
from dsocr_cost.polynomial import Polynomial, largest, symbol

NAMES = ("a", "b", "c")
A, B = symbol("a"), symbol("b")

coefficients = st.integers(-(10**30), 10**30)
powers = st.tuples(*[st.integers(0, 3)] * len(NAMES))
sizes = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 10**6)))


def polynomial(terms):
    """Build a sum of products from powers of a, b and c, and what stands before them."""
    parts = (
        math.prod(symbol(name) for name, power in zip(NAMES, powers, strict=True) for _ in range(power)) * coefficient
        for powers, coefficient in terms.items()
    )
    return sum(parts, Polynomial({}))


polynomials = st.dictionaries(powers, coefficients, max_size=5).map(polynomial)
small = st.dictionaries(powers, st.integers(0, 1000), max_size=5).map(polynomial)


def value(of, at):
    """Evaluate on ints or arrays; a plain int is its own value."""
    return of if isinstance(of, int) else of.evaluate("it", at)


@given(polynomials, polynomials, sizes)
def test_a_sum_and_a_product_are_those_of_the_values(left, right, at):
    assert value(left + right, at) == value(left, at) + value(right, at)
    assert value(left - right, at) == value(left, at) - value(right, at)
    assert value(left * right, at) == value(left, at) * value(right, at)


@given(polynomials, coefficients, sizes)
def test_a_whole_number_may_stand_on_either_side(one, number, at):
    assert value(one + number, at) == value(number + one, at) == value(one, at) + number
    assert value(one * number, at) == value(number * one, at) == value(one, at) * number
    assert value(one - number, at) == -value(number - one, at) == value(one, at) - number


@given(polynomials, polynomials, polynomials)
def test_terms_follow_the_laws_of_a_ring(one, two, three):
    """The same terms, not only the same values: order and grouping leave no trace, and nothing stands there as 0."""
    assert (one + two).terms == (two + one).terms
    assert (one * two).terms == (two * one).terms
    assert ((one + two) + three).terms == (one + (two + three)).terms
    assert ((one * two) * three).terms == (one * (two * three)).terms
    assert (one * (two + three)).terms == (one * two + one * three).terms
    assert (one - one).terms == (one + -one).terms == {}
    assert all((one * two).terms.values())


@given(polynomials, st.sampled_from(NAMES))
def test_powers_of_a_name_add_up_to_the_polynomial_and_hold_the_name_no_more(one, name):
    by_power = one.powers_of(name)
    again = Polynomial({})
    for power, factor in by_power.items():
        assert name not in {held for monomial in factor.terms for held, _ in monomial}
        again = again + factor * math.prod([symbol(name)] * power)
    assert again.terms == one.terms


def test_powers_of_a_name_by_hand():
    # (a + 2)(a + b) = a**2 + (2 + b) a + 2 b
    by_power = ((A + 2) * (A + B)).powers_of("a")
    assert {power: value(factor, {"b": 5}) for power, factor in by_power.items()} == {2: 1, 1: 7, 0: 10}


@given(small, st.lists(sizes, min_size=1, max_size=5))
def test_an_array_of_points_is_evaluated_as_each_of_them(one, points):
    """Up to 1000 * 10**18 * 5: beyond int64, where an array is refused."""
    arrays = {name: np.array([point[name] for point in points]) for name in NAMES}
    one_by_one = [value(one, point) for point in points]
    if max(one_by_one) >= 2**63:
        with pytest.raises(SizeError):
            one.evaluate("it", arrays)
    elif max(one_by_one) < 2**62:
        assert np.broadcast_to(one.evaluate("it", arrays), len(points)).tolist() == one_by_one


def test_arrays_broadcast():
    made = (A * B + 1).evaluate("it", {"a": np.arange(3)[:, None], "b": np.arange(4)})
    assert made.tolist() == [[a * b + 1 for b in range(4)] for a in range(3)]


def test_nothing_is_zero():
    assert Polynomial({}).evaluate("it", {"a": np.arange(3)}) == 0
    assert (A * 0).terms == {}


def test_an_empty_array_has_no_point_that_could_overflow():
    empty = np.array([], dtype=np.int64)
    assert (A * 10**30).evaluate("it", {"a": 1}) == 10**30
    assert (A * A * B).evaluate("it", {"a": empty, "b": empty}).tolist() == []


@pytest.mark.parametrize(
    ("one", "at"),
    [
        pytest.param(A * A, {"a": np.array([1, 2**32])}, id="a square of 2**64"),
        pytest.param(A * 2**62 + B * 2**62, {"a": np.array([1]), "b": 1}, id="a sum of 2**63"),
        pytest.param(A * B, {"a": np.array([[1], [2**40]]), "b": np.array([1, 2**40])}, id="only where both are large"),
        pytest.param(A * 2**62 + B * (-(2**62)), {"a": np.array([1]), "b": 1}, id="terms of opposite signs"),
        pytest.param(A * B, {"a": np.array([89547301328687144]), "b": np.array([103])}, id="24 more than int64 holds"),
    ],
)
def test_a_point_beyond_int64_is_refused_not_wrapped(one, at):
    with pytest.raises(SizeError, match=r"^it: .*e\+\d\d does not fit into int64; price such sizes one by one"):
        one.evaluate("it", at)


def test_the_largest_sizes_of_different_points_may_multiply_beyond_int64():
    """2**40 * 2**40 stands at no point."""
    made = (A * B).evaluate("it", {"a": np.array([2**40, 1]), "b": np.array([1, 2**40])})
    assert made.tolist() == [2**40, 2**40]


def test_python_ints_have_no_limit():
    assert (A * A * B).evaluate("it", {"a": 2**40, "b": 3}) == 3 * 2**80


@pytest.mark.parametrize("other", [np.array([1, 2]), np.int64(3), 1.5, "2", None], ids=repr)
def test_arithmetic_with_anything_else_is_refused(other):
    for combine in (
        lambda: A + other,
        lambda: other + A,
        lambda: A * other,
        lambda: other * A,
        lambda: A - other,
        lambda: other - A,
    ):
        with pytest.raises(TypeError):
            combine()


def square_root(number):
    """Take what is no polynomial, of ints and of arrays."""
    return math.isqrt(number) if isinstance(number, int) else np.floor(np.sqrt(number)).astype(np.int64)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_function_of_a_polynomial_is_a_size_of_its_own(a, b):
    mapped = (A * B + 1).mapped("root", square_root)
    assert (mapped * A + 3).evaluate("it", {"a": a, "b": b}) == math.isqrt(a * b + 1) * a + 3
    (at_once,) = (mapped * A + 3).evaluate("it", {"a": np.array([a]), "b": b}).tolist()
    assert at_once == square_root(np.array([a * b + 1])).item() * a + 3


def test_a_function_of_the_same_is_the_same():
    assert ((A + 1).mapped("root", square_root) - (1 + A).mapped("root", square_root)).terms == {}
    assert ((A + 1).mapped("root", square_root) - (A + 2).mapped("root", square_root)).terms != {}


def test_a_function_of_a_constant_is_its_value():
    assert (A * 0 + 16).mapped("root", square_root) == 4
    assert (A * 0).mapped("root", square_root) == 0


def test_a_function_that_falls_is_bounded_where_it_is_largest():
    """2**62 // 1 + 2**62 stands at the smallest size, not at the largest."""
    falls = A.mapped("share", lambda size: 2**62 // size, grows=False) + B
    with pytest.raises(SizeError, match=r"^it: 9.22e\+18 does not fit into int64"):
        falls.evaluate("it", {"a": np.array([1, 2**40]), "b": 2**62})
    assert falls.evaluate("it", {"a": np.array([2**40]), "b": 2**62}).tolist() == [2**62 + 2**22]


@given(small, small, st.lists(sizes, min_size=1, max_size=3))
def test_the_largest_of_several_is_taken_point_by_point(one, two, points):
    by_point = [max(value(one, point), value(two, point), 7) for point in points]
    made = largest(one, two, 7)
    assert [value(made, point) for point in points] == by_point
    if max(by_point) < 2**62:
        arrays = {name: np.array([point[name] for point in points]) for name in NAMES}
        assert np.broadcast_to(value(made, arrays), len(points)).tolist() == by_point


# --- which of several polynomials can be the largest ---


SIZE = symbol("size", at_least_one=True)
MANY = A.mapped("many", lambda size: int(size > 1), flag=True)
KINDS = (A, B, SIZE, MANY, SIZE.mapped("even", lambda size: 1 - size % 2, grows=False, flag=True))

few = st.lists(
    st.tuples(st.lists(st.sampled_from(range(len(KINDS))), max_size=3), st.integers(-3, 3)), min_size=1, max_size=4
).map(lambda terms: sum((math.prod((KINDS[one] for one in kinds), start=n) for kinds, n in terms), Polynomial({})))


@given(
    st.lists(few, min_size=2, max_size=5),
    st.fixed_dictionaries({"a": st.integers(0, 4), "b": st.integers(0, 4), "size": st.integers(1, 4)}),
)
def test_what_is_left_out_is_nowhere_the_largest(several, at):
    """Of sums of sizes, of one that is at least 1, and of flags."""
    assert value(largest(*several), at) == max(value(one, at) for one in several)


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        pytest.param(2 * A + B, A, id="more of the same"),
        pytest.param(A, A * MANY, id="only where there are many"),
        pytest.param(5 * SIZE, 3 * SIZE + 2, id="a size that is at least 1 makes up for a constant"),
        pytest.param(SIZE * SIZE * A, A, id="or for what it multiplies"),
        pytest.param(A + SIZE * MANY, A * MANY + MANY, id="a flag for the same flag"),
        pytest.param(3 * A + 2 * B, 2 * A + 2 * B + A * MANY, id="two terms for one size"),
    ],
)
def test_one_that_is_never_larger_is_left_out(larger, smaller):
    assert largest(smaller, larger) == largest(larger, smaller) == larger


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(A, B, id="other sizes"),
        pytest.param(A, SIZE, id="a size that may be 0"),
        pytest.param(2 * A * MANY, A, id="a flag that may be 0"),
        pytest.param(A * A, A, id="powers of a size that may be 0 are told apart"),
        pytest.param(2 * SIZE, SIZE + 2, id="not enough of it"),
        pytest.param(2 * SIZE, SIZE + A, id="nor is it enough for two"),
    ],
)
def test_one_that_may_be_larger_stays(one, other):
    assert set(largest(one, other).candidates) == {one, other}
