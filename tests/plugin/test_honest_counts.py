"""What the counter cannot see is an error or has a formula, and never a pass."""

import pytest


def test_fused_attention_of_the_cpu_is_counted(project):
    """2 * 2 * 3 heads * 8 queries * 24 keys * 16 channels, for 2 images: 73,728."""
    project.tests(
        """
        Q, K = torch.zeros(2, 3, 8, 16), torch.zeros(2, 3, 24, 16)


        def fused(query, key):
            return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, key)


        def dispatched(query, key):
            return torch.nn.functional.scaled_dot_product_attention(query, key, key)


        @pytest.mark.parametrize("module", [fused, dispatched], ids=["fused", "dispatched"])
        def test_attention(dsocr, module):
            case = Case("8 over 24", batch=2, heads=3, queries=8, keys=24)
            work = lambda batch, heads, queries, keys: 2 * 2 * batch * heads * queries * keys * 16
            dsocr.compare(work, case, module=module, inputs=(Q, K), name="user.attention")
        """
    )
    project.run("--dsocr-device=cpu", "--dsocr-dtype=float32", "--dsocr-json=rows.json").assert_outcomes(passed=2)
    assert [row["measured"] for row in project.rows()] == [73_728, 73_728]


def test_matrix_work_without_a_formula_is_named_with_its_module(project):
    """The linear is counted right; the matrix-vector product beside it still makes the whole an error."""
    project.write("tolerances.toml", "[default]\ntensor_flops = 1000\n")
    project.tests(
        """
        class Head(torch.nn.Module):
            def forward(self, x):
                return torch.mv(x, x[0])


        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.body = LINEAR
                self.head = Head()

            def forward(self, x):
                return self.head(self.body(x))


        def test_model(dsocr):
            dsocr.compare(linear, FOUR, module=Model(), inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=1)
    (row,) = project.rows()
    assert row["verdict"] == "error"
    assert "aten::mv" in row["reason"]
    assert "head" in row["reason"]
    result.stdout.fnmatch_lines("*aten::mv*head*")


def test_a_kernel_past_torch_is_found_by_the_memory_it_leaves(project):
    project.write("tolerances.toml", "[default]\ntensor_flops = 1000\n")
    project.tests(
        """
        class Smuggler(torch.nn.Module):
            def forward(self, x):
                LINEAR(x)
                return torch.empty(4, 16, device="meta")  # as if an unseen kernel had filled it


        def test_smuggler(dsocr):
            dsocr.compare(linear, FOUR, module=Smuggler(), inputs=X)
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(failed=1)
    (row,) = project.rows()
    assert row["verdict"] == "error"
    assert "ran past the counter" in row["reason"]


def test_a_module_that_breaks_fails_its_test_and_no_other(project):
    project.tests(
        """
        def test_wrong_shape(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=[torch.zeros(4, 9, device="meta")])


        def test_linear(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(failed=1, passed=1)
    assert [row["verdict"] for row in project.rows()] == ["pass"]
    (not_run,) = project.document()["not_run"]
    assert not_run["test"] == "test_it.py::test_wrong_shape"
    assert not_run["reason"].startswith("user.linear, 4 tokens, tensor_flops: RuntimeError: ")


SCALES = """
    import pytest_dsocr


    class Fails:
        def __init__(self, name, error):
            self.metric = pytest_dsocr.Metric(name, name, "memory", lambda *_: pytest_dsocr.Prediction(0))
            self.error = error

        def measure(self, subject, *, device):
            raise self.error


    def pytest_dsocr_measurers():
        broken = pytest_dsocr.MeasurementError("the scales are broken")
        return [Fails("broken", broken), Fails("elsewhere", pytest_dsocr.NotSupportedError("no scales here"))]
"""


@pytest.mark.parametrize("workers", [False, True], ids=["one process", "workers"])
def test_each_metric_that_is_asked_for_is_a_row_or_is_listed_with_its_reason(project, workers):
    project.write("conftest.py", SCALES)
    project.tests(
        """
        FIGURES = {"params": 144, "broken": 0, "elsewhere": 0, "weight_bytes": 576}


        def test_four(dsocr):
            dsocr.compare_all(FIGURES, Case("four"), metrics=FIGURES, module=LINEAR, inputs=X)


        def test_two(dsocr):
            dsocr.compare_all(FIGURES, Case("two"), metrics=["elsewhere", "weight_bytes"], module=LINEAR, inputs=X)
        """
    )
    options = ("--dsocr-json=rows.json", "--dsocr-require=all")
    result = project.spawn("-n2", *options) if workers else project.run(*options)
    result.assert_outcomes(failed=1, skipped=1)
    assert [(row["case"], row["metric"]) for row in project.rows()] == [
        ("four", "params"),
        ("four", "weight_bytes"),
        ("two", "weight_bytes"),
    ]
    assert [(one["test"], one["reason"]) for one in project.document()["not_run"]] == [
        ("test_it.py::test_four", "user.Linear, four, broken: the scales are broken"),
        ("test_it.py::test_four", "user.Linear, four, elsewhere: no scales here"),
        ("test_it.py::test_two", "user.Linear, two, elsewhere: no scales here"),
    ]
    result.stdout.fnmatch_lines(["*3 comparisons did not run*"])
