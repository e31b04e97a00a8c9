"""The fixture dsocr: what passes, what fails, what it says, and that nothing passes without a comparison."""

import pytest


def test_it_passes_where_prediction_and_count_agree(project):
    project.tests(
        """
        def test_linear(dsocr):
            row = dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            assert (row.predicted, row.measured, row.difference, str(row.verdict)) == (1024, 1024, 0, "pass")
            assert (row.layer, row.case, row.metric) == ("user.linear", "4 tokens", "tensor_flops")
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*dsocr: predicted against measured*", "user.linear*", "*4 tokens*1,024*1,024*pass", "dsocr: 1 pass"]
    )
    (row,) = project.rows()
    assert row["test"] == "test_it.py::test_linear"
    assert row["sizes"] == {"tokens": 4}
    assert project.document()["totals"]["pass"] == 1


def test_a_failure_says_what_by_how_much_and_by_which_rule(project):
    project.tests(
        """
        def test_linear(dsocr):
            dsocr.compare(one_too_many, FOUR, module=torch.nn.Sequential(LINEAR), inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*user.one_too_many, 4 tokens, tensor FLOPs: fail*",
            "*predicted *1,025*",
            "*measured *1,024*",
            "*difference *+1*",
            "*allowed *default tensor_flops*",
            "*reason *difference*",
            "*tokens=4*",
            "*meta, float32, user*",
            "*aten::addmm*",
            "*dsocr: 1 fail*",
        ]
    )
    (row,) = project.rows()
    assert (row["verdict"], row["predicted"], row["measured"]) == ("fail", 1025, 1024)
    assert row["reason"]
    assert project.document()["not_run"] == []


def test_a_measurement_of_nothing_is_an_error_not_a_pass(project):
    project.ini("dsocr_tolerances = loose.toml")
    project.write("loose.toml", "[default]\ntensor_flops = 1000\n")
    project.tests(
        """
        def test_idle(dsocr):
            dsocr.compare(linear, FOUR, module=torch.nn.ReLU(), inputs=X)


        def test_idle_as_predicted(dsocr):
            dsocr.compare(lambda tokens: 0, FOUR, module=torch.nn.ReLU(), inputs=X, name="user.relu")
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines("*measured 0 although the prediction is not*")
    assert [row["verdict"] for row in project.rows()] == ["error", "pass"]


def test_tests_without_a_comparison_are_red_and_listed(project):
    """Each with its reason; a test that does not ask for the fixture is no business of the plugin's."""
    project.tests(
        """
        def test_compares_nothing(dsocr):
            pass


        def test_breaks_before(dsocr):
            raise ValueError("no weights today")


        def test_skips(dsocr):
            pytest.skip("no card today")


        @pytest.mark.skip(reason="never on Mondays")
        def test_marked(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)


        @pytest.mark.xfail(reason="known", raises=ValueError)
        def test_expected_to_break(dsocr):
            raise ValueError("as ever")


        @pytest.fixture
        def broken():
            raise OSError("disk on fire")


        def test_with_a_broken_fixture(dsocr, broken):
            pass


        def test_of_something_else():
            pass
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, failed=2, skipped=2, xfailed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*test_compares_nothing*", "*compared nothing: a measurement of nothing is never a pass*"]
    )
    not_run = {one["test"].partition("::")[2]: one["reason"] for one in project.document()["not_run"]}
    assert list(not_run) == [
        "test_compares_nothing",
        "test_breaks_before",
        "test_skips",
        "test_marked",
        "test_expected_to_break",
        "test_with_a_broken_fixture",
    ]
    assert "compared nothing" in not_run["test_compares_nothing"]
    assert "no weights today" in not_run["test_breaks_before"]
    assert not_run["test_skips"] == "no card today"
    assert not_run["test_marked"] == "never on Mondays"
    assert "as ever" in not_run["test_expected_to_break"]
    assert "disk on fire" in not_run["test_with_a_broken_fixture"]
    assert project.document()["totals"]["not run"] == 6
    result.stdout.fnmatch_lines(["not run:*", "*no card today*", "dsocr: 6 not run"])


def test_a_test_may_compare_several_times(project):
    """All rows up to the first that is no pass, in order."""
    project.tests(
        """
        EIGHT = Case("8 tokens", tokens=8)


        def compare_both(dsocr, prediction):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            dsocr.compare(prediction, EIGHT, module=LINEAR, inputs=lambda: [torch.zeros(8, 8, device="meta")])
            dsocr.compare(lambda: 144, Case("any"), metric="params", module=LINEAR, name="user.linear")


        def test_three(dsocr):
            compare_both(dsocr, linear)


        def test_two(dsocr):
            compare_both(dsocr, one_too_many)
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(passed=1, failed=1)
    assert [(row["test"][-3:], row["metric"], row["case"], row["verdict"]) for row in project.rows()] == [
        ("ree", "tensor_flops", "4 tokens", "pass"),
        ("ree", "tensor_flops", "8 tokens", "pass"),
        ("ree", "params", "any", "pass"),
        ("two", "tensor_flops", "4 tokens", "pass"),
        ("two", "tensor_flops", "8 tokens", "fail"),
    ]


def test_rows_of_an_expected_failure_are_kept(project):
    project.tests(
        """
        @pytest.mark.xfail(reason="known")
        def test_known(dsocr):
            dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(xfailed=1)
    assert [row["verdict"] for row in project.rows()] == ["fail"]


def test_a_comparison_in_a_fixture_counts_whatever_its_verdict(project):
    project.tests(
        """
        @pytest.fixture(params=[linear, one_too_many], ids=["right", "wrong"])
        def row(dsocr, request):
            return dsocr.compare(request.param, FOUR, module=LINEAR, inputs=X)


        def test_uses_it(row):
            assert row.measured == 1024
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(passed=1, errors=1)
    assert [row["verdict"] for row in project.rows()] == ["pass", "fail"]
    assert project.document()["not_run"] == []


def test_the_fixture_may_be_asked_for_by_name(project):
    project.tests(
        """
        def test_linear(request):
            request.getfixturevalue("dsocr").compare(one_too_many, FOUR, module=LINEAR, inputs=X)
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(failed=1)
    assert [row["verdict"] for row in project.rows()] == ["fail"]


def test_misuse_is_told_in_a_sentence(project):
    project.tests(
        """
        def test_metric(dsocr):
            dsocr.compare(linear, FOUR, metric="speed", module=LINEAR, inputs=X)


        def test_sizes(dsocr):
            dsocr.compare(linear, Case("no tokens", rows=4), module=LINEAR, inputs=X)


        def test_no_module(dsocr):
            dsocr.compare(linear, FOUR)


        def test_nan(dsocr):
            dsocr.compare(lambda tokens: float("nan"), FOUR, module=LINEAR, inputs=X, name="user.nan")


        def test_params_of_a_function(dsocr):
            dsocr.compare(linear, FOUR, metric="params", module=torch.nn.functional.relu, inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(
        [
            "*metric: got 'speed', allowed are *tensor_flops*",
            "*user.linear cannot be priced at Case('no tokens', rows=4)*'rows'*",
            "*no reference builds user.linear: give a module*",
            "*predicted is nan, allowed is a finite number*",
            "*params: got *function*allowed is a torch.nn.Module*",
        ],
        consecutive=False,
    )
    assert [(row["layer"], row["verdict"], row["predicted"]) for row in project.rows()] == [
        ("user.nan", "error", "nan")
    ]


def test_numpy_figures_become_numbers(project):
    project.tests(
        """
        import numpy as np


        def test_linear(dsocr):
            row = dsocr.compare(lambda tokens: np.int64(linear(tokens)), FOUR, module=LINEAR, inputs=X, name="user.np")
            assert type(row.predicted) is int
        """
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(passed=1)
    assert project.rows()[0]["predicted"] == 1024


def test_numpy_sizes_become_numbers(project):
    project.tests(
        """
        import numpy as np


        def test_linear(dsocr):
            dsocr.compare(linear, Case("numpy", tokens=np.int64(4)), module=LINEAR, inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.assert_outcomes(passed=1)
    assert project.rows()[0]["sizes"] == {"tokens": 4}


def test_a_comparison_that_is_skipped_after_another_is_listed_too(project):
    """Half of the test was measured; the other half must not vanish from ``not_run`` nor from ``all``."""
    project.tests(
        """
        def test_two(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            pytest.skip("the other half needs a card")
        """
    )
    result = project.run("--dsocr-json=rows.json", "--dsocr-require=all")
    result.assert_outcomes(skipped=1)
    assert [row["verdict"] for row in project.rows()] == ["pass"]
    (not_run,) = project.document()["not_run"]
    assert not_run["reason"] == "the other half needs a card"
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_subtests_each_bring_their_row(project):
    project.tests(
        """
        def test_many(dsocr, subtests):
            for count in (4, 6, 8):
                with subtests.test(f"{count} tokens"):
                    prediction = one_too_many if count == 6 else linear
                    inputs = [torch.zeros(count, 8, device="meta")]
                    dsocr.compare(prediction, Case(f"{count} tokens", tokens=count), module=LINEAR, inputs=inputs)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [(row["case"], row["verdict"]) for row in project.rows()] == [
        ("4 tokens", "pass"),
        ("6 tokens", "fail"),
        ("8 tokens", "pass"),
    ]
    assert project.document()["not_run"] == []


def test_a_failure_that_a_test_catches_is_still_one(project):
    project.tests(
        """
        def test_caught(dsocr):
            try:
                dsocr.compare(lambda tokens: 1, FOUR, module=LINEAR, inputs=X)
            except BaseException:
                pass
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*caught a comparison that came to fail*")


def test_asking_by_name_and_comparing_nothing_fails(project):
    project.tests("def test_idle(request):\n    request.getfixturevalue('dsocr')\n")
    project.run().assert_outcomes(failed=1)


def test_making_the_inputs_is_no_work_of_the_module(project):
    project.tests(
        """
        def test_linear(dsocr):
            square = torch.zeros(8, 8, device="meta")
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=lambda: (torch.empty(4, 8, device="meta") @ square,))
        """
    )
    project.run().assert_outcomes(passed=1)


def test_a_tensor_alone_and_inputs_by_name_and_a_bare_figure_do(project):
    project.tests(
        """
        def test_linear(dsocr):
            dsocr.compare(1024, FOUR, module=LINEAR, inputs=X[0], name="user.one")
            dsocr.compare(1024, FOUR, module=LINEAR, kwargs={"input": X[0]}, name="user.other")
        """
    )
    project.run().assert_outcomes(passed=1)


def test_a_test_compares_only_what_it_is_marked_with(project):
    project.tests(
        """
        @pytest.mark.params
        def test_linear(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*got 'tensor_flops' of the family flops, allowed are those the test is marked with*")


def test_two_rows_of_one_key_make_the_run_red(project):
    project.tests(
        """
        @pytest.mark.parametrize("tokens", [4, 4])
        def test_linear(dsocr, tokens):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
        """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*2 comparisons of user.linear, 4 tokens, tensor_flops have the same key*")


def test_a_size_of_0_measures_nothing(project):
    project.tests(
        """
        def test_linear(dsocr):
            none = torch.zeros(0, 8, device="meta")
            dsocr.compare(linear, Case("none", tokens=0), module=LINEAR, inputs=(none,))
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*a size is 0: nothing was measured*")


def test_a_subtest_need_not_compare_if_its_test_does(project):
    pytest.importorskip("_pytest.subtests")
    project.tests(
        """
        def test_parts(dsocr, subtests):
            with subtests.test("prepare"):
                pass
            with subtests.test("right"):
                dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)


        def test_empty(dsocr, subtests):
            with subtests.test("nothing"):
                pass


        def test_wrong(dsocr, subtests):
            with subtests.test("wrong"):
                dsocr.compare(one_too_many, Case("off", tokens=4), module=LINEAR, inputs=X)
            with subtests.test("goes on"):
                pass
        """
    )
    result = project.run("--dsocr-json=rows.json", "-v")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*::test_parts PASSED*", "*::test_empty FAILED*", "*::test_wrong SUBFAILED?wrong?*", "*SUBPASSED?goes on?*"]
    )
    assert [(row["case"], row["verdict"]) for row in project.rows()] == [("4 tokens", "pass"), ("off", "fail")]


def test_the_fixture_of_a_test_that_has_ended_compares_no_more(project):
    """Its rows would be nobody's: a regression among them would be seen by no gate."""
    project.tests(
        """
        KEPT = []


        def test_keeps_it(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            KEPT.append(dsocr)


        def test_uses_it():
            KEPT[0].compare(linear, Case("8 tokens", tokens=4), module=LINEAR, inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*OptionError: dsocr: got the one of test_it.py::test_keeps_it, which has ended; *"])
    assert len(project.rows()) == 1
