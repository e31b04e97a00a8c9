"""``--dsocr-grids``: a test that takes ``dsocr_grid`` runs on each of the grids that were asked for."""

import pytest

SWEEP = """
def test_sweep(dsocr_grid):
    assert str(dsocr_grid) == f"{dsocr_grid.high}x{dsocr_grid.wide}"
"""

OWN = """
import pytest


@pytest.fixture
def n():
    return 0


{mark}
def test_own(dsocr_grid, n):
    assert dsocr_grid in (1, 2)
"""


@pytest.fixture
def sweep(project):
    """Run a user's sweep; the grids that its tests were named after."""
    project.write("test_sweep.py", SWEEP)

    def run(*args):
        result = project.run("-v", *args)
        result.assert_outcomes(passed=len(ids := grids_of(result)))
        return ids

    return run


def grids_of(result, test="test_sweep"):
    """Read the ids of one test's passes."""
    names = (line.split()[0] for line in result.outlines if " PASSED" in line)
    return [name.partition("[")[2].rstrip("]") for name in names if f"::{test}[" in name]


def test_by_default_it_runs_on_the_published_grids(sweep):
    ids = sweep()
    assert (len(ids), ids[0], ids[-1]) == (90, "1x2", "15x26")


def test_model_means_the_grids_that_the_model_picks(sweep):
    """2 crops have 2 grids, 3: 2, 4: 3, 5: 2, 6: 4, 7: 2, 8: 4, 9: 3."""
    ids = sweep("--dsocr-grids=model")
    assert len(ids) == 2 + 2 + 3 + 2 + 4 + 2 + 4 + 3
    assert {"1x2", "3x3", "9x1"} <= set(ids)


def test_grids_and_tables_mix_and_each_grid_comes_once(sweep):
    assert sweep("--dsocr-grids= 3x2, 15X26,3x2 ") == ["3x2", "15x26"]
    mixed = sweep("--dsocr-grids=15x26,1x2,model")
    assert mixed[:2] == ["15x26", "1x2"]
    assert len(mixed) == len(set(mixed)) == 1 + 22


def test_the_ini_file_names_grids_and_the_command_line_wins(project, sweep):
    project.ini("dsocr_grids = 2x3,3x2")
    assert sweep() == ["2x3", "3x2"]
    assert sweep("--dsocr-grids=4x4") == ["4x4"]


def test_workers_run_on_the_same_grids(project):
    project.write("test_sweep.py", SWEEP)
    result = project.spawn("-v", "-n2", "--dsocr-grids=2x3,3x2,1x9")
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("grids", "got"),
    [
        pytest.param("2x3,0x2", "'0x2'", id="no crops"),
        pytest.param("everything", "'everything'", id="word"),
        pytest.param("", "''", id="nothing"),
    ],
)
def test_what_is_no_grid_is_refused(refused, grids, got):
    refused(f"--dsocr-grids={grids}", words=[f"--dsocr-grids (ini: dsocr_grids): got {got}, allowed are published, "])


def test_what_is_no_grid_is_refused_in_the_ini_file_too(project, refused):
    project.ini("dsocr_grids = 2x")
    refused(words=["--dsocr-grids (ini: dsocr_grids): got '2x', allowed are published, "])


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param('@pytest.mark.parametrize("dsocr_grid", [1, 2])', id="one name"),
        pytest.param('@pytest.mark.parametrize("n, dsocr_grid", [(0, 1), (0, 2)])', id="names with commas"),
        pytest.param('@pytest.mark.parametrize(argnames=["n", "dsocr_grid"], argvalues=[(0, 1), (0, 2)])', id="list"),
        pytest.param('pytestmark = pytest.mark.parametrize("dsocr_grid", [1, 2])', id="on the module"),
    ],
)
def test_a_test_that_names_its_own_grids_is_left_alone(project, mark):
    project.write("test_own.py", OWN.format(mark=mark))
    project.run("--dsocr-grids=2x3").assert_outcomes(passed=2)


def test_another_parameter_stands_beside_the_grid(project):
    project.write(
        "test_it.py",
        """
        import pytest


        @pytest.mark.parametrize("dsocr_grid_size", [1, 2, 3])
        def test_both(dsocr_grid, dsocr_grid_size):
            pass
        """,
    )
    project.run("--dsocr-grids=2x3,3x2").assert_outcomes(passed=2 * 3)


def test_a_fixture_may_take_the_grid(project):
    project.write(
        "test_it.py",
        """
        import pytest


        @pytest.fixture
        def crops(dsocr_grid):
            return dsocr_grid.high * dsocr_grid.wide


        def test_crops(crops):
            assert crops == 6


        class TestCrops:
            def test_crops(self, crops):
                assert crops == 6
        """,
    )
    project.run("--dsocr-grids=2x3,3x2").assert_outcomes(passed=2 * 2)


def test_a_users_sweep_compares_on_each_grid(project):
    """A row a grid: 2x3 and 15x26 crops of 8 x 16 multiply-adds each."""
    project.tests(
        """
        def test_sweep(dsocr, dsocr_grid):
            crops = dsocr_grid.high * dsocr_grid.wide
            x = torch.zeros(crops, 8, device="meta")
            dsocr.compare(linear, Case(f"{dsocr_grid} crops", tokens=crops), module=LINEAR, inputs=x)
        """
    )
    project.run("--dsocr-grids=2x3,15x26", "--dsocr-json=rows.json").assert_outcomes(passed=2)
    rows = project.rows()
    assert [(row["case"], row["measured"]) for row in rows] == [
        ("2x3 crops", 2 * 6 * 8 * 16),
        ("15x26 crops", 2 * 390 * 8 * 16),
    ]
