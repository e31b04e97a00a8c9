"""The figures of a sweep: what is drawn, how it is told apart, which files come of it."""

import math
import sys

import pytest

from dsocr_cost import DsocrError, Execution
from pytest_dsocr.report import plots
from pytest_dsocr.report.plots import PlotError, predicted_and_measured, sweep_plots
from pytest_dsocr.sweep_points import COUNTS, SweepPoint

pytest.importorskip("matplotlib")

ALL = ["flops", "tensor_cuda_split", "io", "intensity", "activations", "kv_cache", "required_flops"]


def point(image_tokens, *, label="", missing=(), **changed):
    """Make a point whose counts are easy to tell: vision in thousands, prefill tens of thousands, decode tens."""
    context = image_tokens + 10
    scales = {"vision": 1_000 if image_tokens else 0, "prefill": 10_000, "decode": 10}
    stages = {
        stage: {
            count: None if count in missing else 10**9 * scale * context * (place + 1)
            for place, count in enumerate(COUNTS)
        }
        for stage, scale in scales.items()
    }
    stages["vision"]["kv_cache_bytes"] = None if "kv_cache_bytes" in missing else 0
    for where, value in changed.items():
        stage, _, count = where.partition("__")
        stages[stage][count] = value
    return SweepPoint(label or str(image_tokens), image_tokens, context, 10, 100, 1, stages)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and keep the figures by name in place of files."""
    kept = {}

    def keep(directory, figures):
        kept.update({name: draw() for name, draw in figures})
        return []

    monkeypatch.setattr(plots, "write_all", keep)

    def draw(function, *arguments, **options):
        function(*arguments, tmp_path, **options)
        return kept

    return draw


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots") / "a" / "new folder"
    return folder, sweep_plots([point(100), point(900)], folder)


def test_every_figure_is_written_as_svg_and_png(written):
    folder, paths = written
    assert paths == [folder / f"{name}.{kind}" for name in ALL for kind in ("svg", "png")]
    assert sorted(folder.iterdir()) == sorted(paths)
    for path in paths:
        assert path.read_bytes().startswith(b"<?xml" if path.suffix == ".svg" else b"\x89PNG")


def test_the_same_points_give_the_same_bytes_whatever_the_users_settings(written, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "axes.grid": False}):
        again = sweep_plots([point(900), point(100)], tmp_path)
        assert (mpl.rcParams["font.size"], mpl.rcParams["axes.grid"]) == (30, False)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written[1]]


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        pytest.param(["cuda_flops"], ["tensor_cuda_split", "intensity"], id="no CUDA FLOPs"),
        pytest.param(["io_bytes"], ["io", "intensity"], id="no I/O"),
        pytest.param(["activation_bytes", "kv_cache_bytes"], ["activations", "kv_cache"], id="no memory"),
    ],
)
def test_what_is_not_predicted_is_left_out_and_said(drawn, caplog, missing, left):
    figures = drawn(sweep_plots, [point(100, missing=missing), point(900)])
    assert list(figures) == [name for name in ALL if name not in left]
    assert "left out" in caplog.text


def test_a_full_sweep_leaves_nothing_out(drawn, caplog):
    assert list(drawn(sweep_plots, [point(100)])) == ALL
    assert not caplog.records


def test_the_lines_hold_the_counts_of_each_stage(drawn):
    """10^9 x scale x context x place: of tensor FLOPs 1, I/O 3, in TFLOP and GB."""
    figures = drawn(sweep_plots, [point(990), point(90)])
    flops = lines(figures["flops"].axes[0])
    assert list(flops["vision"].get_xdata()) == [90, 990]
    assert list(flops["vision"].get_ydata()) == [100, 1_000]
    assert list(flops["vision + prefill"].get_ydata()) == [1_100, 11_000]
    assert list(flops["decode"].get_ydata()) == [1, 10]
    # I/O is the third count, so three times the tensor FLOPs; both FLOPs together are 1 + 2 of them
    assert list(lines(figures["io"].axes[0])["decode"].get_ydata()) == [3_000, 30_000]
    assert list(lines(figures["intensity"].axes[0])["decode"].get_ydata()) == [1, 1]


def test_memory_does_not_add_up(drawn):
    """Activations: the larger of vision and prefill, place x 10^4 x 100 GB. KV: the prefill's, as much by its place."""
    activations, kv = (COUNTS.index(count) + 1 for count in ("activation_bytes", "kv_cache_bytes"))
    figures = drawn(sweep_plots, [point(90)])
    assert list(lines(figures["activations"].axes[0])["vision + prefill"].get_ydata()) == [activations * 10**6]
    kv_cache = lines(figures["kv_cache"].axes[0])
    assert list(kv_cache["vision + prefill"].get_ydata()) == [kv * 10**6]
    assert "vision" not in kv_cache


def test_required_rates_are_flops_over_the_targets(drawn):
    """Both FLOPs of vision and prefill, 3 x 1100 TFLOP, in 2 s; those of one of 100 decode steps, 0.03, in 10 ms."""
    first, decode = drawn(sweep_plots, [point(90)], ttft_s=2.0, tpot_s=0.01)["required_flops"].axes
    assert first.lines[0].get_ydata() == pytest.approx([1_650])
    assert decode.lines[0].get_ydata() == pytest.approx([3])
    assert ("2 s" in first.get_title(), "10 ms" in decode.get_title()) == (True, True)


def test_prompts_without_images_stand_over_their_context(drawn):
    figures = drawn(sweep_plots, [point(0, label="10")])
    (axes,) = figures["flops"].axes
    assert list(lines(axes)) == ["prefill", "decode"]
    assert (list(axes.lines[0].get_xdata()), axes.get_xlabel()) == ([10], "context (tokens)")


def subtitle(figure):
    (body,) = figure.subfigs
    return body.get_suptitle()


def test_each_figure_names_what_was_priced_below_its_title(drawn):
    points, execution = [point(100), point(900)], Execution("vendor", "eager", dtype="float16")
    drawn(sweep_plots, points, execution=execution)
    figures = drawn(predicted_and_measured, points, measured(points), execution=execution)
    assert list(figures) == [*ALL, "predicted_and_measured"]
    for figure in figures.values():
        assert subtitle(figure) == "vendor, eager attention, float16, batch 1, 10 text tokens, decode: 100 steps"


def test_a_figure_names_no_execution_that_nobody_told(drawn):
    (figure, *_) = drawn(sweep_plots, [point(100)]).values()
    assert subtitle(figure) == "batch 1, 10 text tokens, decode: 100 steps"


def test_series_differ_in_marker_and_line_and_axes_have_units(drawn):
    units = {"TFLOP", "GB", "FLOP / byte", "TFLOP/s"}
    for figure in drawn(sweep_plots, [point(tokens) for tokens in range(100, 4000, 100)]).values():
        assert figure.get_suptitle()
        assert figure.axes[0].get_ylabel() in units
        for axes in figure.axes:
            assert axes.get_xlabel() == "image tokens"
            assert len({line.get_marker() for line in axes.lines}) == len(axes.lines)
            assert len({line.get_linestyle() for line in axes.lines}) == len(axes.lines)
            assert all(len(line.get_markevery()) < 20 for line in axes.lines)


def test_the_split_of_tensor_and_cuda_flops_is_on_a_log_axis(drawn):
    axes = drawn(sweep_plots, [point(100)])["tensor_cuda_split"].axes
    assert [one.get_title() for one in axes] == ["vision", "vision + prefill", "decode"]
    assert {one.get_yscale() for one in axes} == {"log"}


def measured(points, **changed):
    figures = {
        one.label: {stage: one.stages[stage]["tensor_flops"] for stage in ("vision", "prefill", "decode")}
        for one in points
    }
    for label, stage in changed.items():
        figures[label] |= stage
    return figures


def test_predicted_and_measured_are_in_one_picture_with_the_grids_as_labels(drawn):
    points = [point(100, label="1x2"), point(200, label="2x2")]
    figures = drawn(predicted_and_measured, points, measured(points))
    *above, _, _, _ = figures["predicted_and_measured"].axes
    for axes, stage in zip(above, ("vision", "prefill", "decode"), strict=True):
        assert axes.get_title() == stage
        one, other = lines(axes)["predicted"], lines(axes)["measured"]
        assert list(one.get_ydata()) == list(other.get_ydata())
        assert (one.get_linestyle(), other.get_linestyle()) == ("-", "None")
        assert (one.get_marker(), other.get_marker()) == (".", "o")  # a line through one point is none
    labels = figures["predicted_and_measured"].axes[-1].get_xticklabels()
    assert [label.get_text() for label in labels] == ["1x2", "2x2"]


def test_a_difference_is_drawn_in_percent_and_counted(drawn):
    points = [point(90, label="1x2"), point(190, label="2x2")]
    # 10^9 x 10^4 x 100 predicted, half of it measured: 100 % above
    figures = drawn(predicted_and_measured, points, measured(points, **{"1x2": {"prefill": 500_000 * 10**9}}))
    below = figures["predicted_and_measured"].axes[4]
    assert below.get_title() == "exact at 1 of 2 points"
    assert list(below.lines[-1].get_ydata()) == [100, 0]


def test_a_point_that_differs_is_marked_among_many(drawn):
    points = [point(tokens) for tokens in range(100, 1000, 10)]
    figures = drawn(predicted_and_measured, points, measured(points, **{"110": {"vision": 1}}))
    vision = figures["predicted_and_measured"].axes[0]
    assert 1 in lines(vision)["measured"].get_markevery()
    assert len(figures["predicted_and_measured"].axes[-1].get_xticklabels()) < 20


def test_what_was_not_measured_is_not_drawn(drawn):
    points = [point(100), point(200), point(300)]
    figures = drawn(predicted_and_measured, points, {"100": {"decode": 5}, "300": {"decode": 5}})
    above, _ = figures["predicted_and_measured"].axes
    assert above.get_title() == "decode"
    assert list(above.lines[0].get_xdata()) == [110, 310]


@pytest.mark.parametrize("figures", [{}, {"7": {"prefill": 1}}, {"100": {}}], ids=["nothing", "another", "no stage"])
def test_nothing_measured_is_no_picture(tmp_path, figures):
    with pytest.raises(PlotError, match="measured: got"):
        predicted_and_measured([point(100)], figures, tmp_path)


def test_no_point_is_no_sweep(tmp_path):
    with pytest.raises(PlotError, match="points: got none"):
        sweep_plots([], tmp_path)


@pytest.mark.parametrize("target", [0, -1, math.nan])
@pytest.mark.parametrize("name", ["ttft_s", "tpot_s"])
def test_a_target_is_above_zero(tmp_path, name, target):
    with pytest.raises(PlotError, match=f"{name}: got"):
        sweep_plots([point(100)], tmp_path, **{name: target})


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DsocrError, match=r"needs matplotlib: pip install matplotlib"):
        sweep_plots([point(100)], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(DsocrError, match="file"):
        sweep_plots([point(100)], tmp_path / "file")


def test_a_figure_that_cannot_be_written_is_refused_before_any_is(tmp_path):
    (tmp_path / "kv_cache.png").mkdir()
    with pytest.raises(DsocrError, match=r"kv_cache\.png"):
        sweep_plots([point(100)], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kv_cache.png"]
