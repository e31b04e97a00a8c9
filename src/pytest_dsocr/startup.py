"""Refuses, before anything runs, what could not work later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .outputs import check_outputs

if TYPE_CHECKING:
    import pytest

    from .options import Options
    from .state import Run

__all__ = ["check"]


def check(run: Run, config: pytest.Config) -> None:
    """Look at all that was asked for. Imports torch only for a baseline, or to look for a GPU that was asked for.

    Raises:
        DsocrError: an option, a tolerance file, a config.json, a baseline or an output path that cannot be used.
    """
    asked = run.options
    if asked.tolerances or asked.config or asked.require or asked.flop_formulas or asked.reference != "transformers":
        # by the hooks that are there now; the first comparison asks again, when all conftest files are read
        from .registry import Registry

        Registry.from_hooks(config, asked).tolerances(asked)
    if asked.config:
        from dsocr_cost import DeepseekOCRConfig

        DeepseekOCRConfig.from_hf(asked.config)
    if option := _needs_torch(asked):
        from .measure.device import require_torch

        require_torch(option)
    _ = run.device
    if asked.devices:
        from dsocr_cost.device import load_devices

        load_devices(asked.devices)
    if asked.profile:
        _ = run.latency_model.calibration
        if run.device != "meta":
            _ = run.latency_model.profile
    run.baseline_header()  # reads it
    if not run.on_worker:
        check_outputs(asked.json, asked.reports, run.baseline)
        if asked.update_baseline and run.baseline:
            run.baseline.check_writable()


def _needs_torch(asked: Options) -> str:
    """Name the option that needs torch before anything runs; empty if there is none."""
    if asked.device not in ("meta", "cpu"):
        return "--dsocr-device (ini: dsocr_device)"
    if asked.baseline:
        return "--dsocr-baseline (ini: dsocr_baseline)"
    return "--dsocr-profile (ini: dsocr_profile)" if asked.profile and asked.device != "meta" else ""
