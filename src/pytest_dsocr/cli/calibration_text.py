"""What ``dsocr calibrate`` says of a calibration: the machine, what kernels make of it, and what to doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.report import MISSING, bytes_text, seconds_text

from .tables import paragraph, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dsocr_cost.efficiency import Machine
    from dsocr_cost.profile import Host
    from dsocr_cost.profile_json import Calibration

__all__ = ["calibration_text", "doubts"]

BUSY = 0.03
"""The share of the CPU that others may take before it is worth a warning."""

UNSTEADY = 0.05
"""The spread of a kernel's runs, half the distance between their quartiles, from which on it is worth one."""


def calibration_text(calibration: Calibration) -> str:
    """Write down the machine's figures, the fit of each class, what the host takes, how steady it was."""
    profile, measured = calibration.profile, calibration.measured
    errors = sorted(site.error for site in profile.sites.values())
    sites = f"{len(errors)} places in the model"
    if errors:
        sites += f" (half of them within {errors[len(errors) // 2]:.1%} between sizes)"
    said = [
        f"{measured['kernels']:,} kernels in {measured['seconds']:.0f} s",
        f"{measured['runs']} runs of each in {measured.get('passes', 1)} passes",
        sites,
        f"repeatability {measured['repeatability']:.1%}",
        f"others took {measured['contention']:.1%} of the CPU",
    ]
    return "\n\n".join(
        [paragraph(_machine(profile.machine)), _classes(calibration), paragraph([_host(profile.host), *said])]
    )


def doubts(measured: Mapping[str, Any]) -> Iterator[str]:
    """Say what speaks against a calibration."""
    again = "calibrate again when nothing else runs"
    if measured["contention"] > BUSY:
        yield f"others took {measured['contention']:.0%} of the CPU meanwhile: {again}"
    if measured["repeatability"] > UNSTEADY:
        yield f"kernels varied by {measured['repeatability']:.0%} from run to run: {again}"


def _machine(machine: Machine) -> Iterator[str]:
    yield machine.name
    for size, peak in sorted(machine.flops_per_s.items()):
        yield f"{peak / 1e12:,.4g} TFLOP/s in {8 * size} bits"
    yield f"{machine.bandwidth_bytes_per_s / 1e9:,.4g} GB/s from memory"
    cache = f"{machine.cache_bandwidth_bytes_per_s / 1e9:,.4g} GB/s"
    yield f"{cache} in {bytes_text(machine.cache_bytes)} of cache"


def _classes(calibration: Calibration) -> str:
    models = calibration.profile.models
    return table(
        [
            ("kernels", [kind.replace("_", " ") for kind in models]),
            ("fixed", [_parameter(model, "fixed_s", seconds_text) for model in models.values()]),
            ("of the\npeak", [_parameter(model, "compute", "{:.0%}".format) for model in models.values()]),
            ("of the\nbandwidth", [_parameter(model, "bandwidth", "{:.0%}".format) for model in models.values()]),
            ("error, 9 of 10\nstay below", [f"{model.error:.1%}" for model in models.values()]),
        ]
    )


def _parameter(model: Any, name: str, text: Any) -> str:
    """Write a parameter; a form without it has others."""
    value = getattr(model, name, None)
    return str(text(value)) if isinstance(value, float) else MISSING


def _host(host: Host) -> str:
    way = "beside the kernels" if host.overlaps else "before each kernel"
    return f"the host takes {seconds_text(host.dispatch_s)} a launch {way} (within {host.error:.0%})"
