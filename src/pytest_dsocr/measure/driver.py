"""The version of NVIDIA's driver, which every place that knows it writes alike."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["driver_version", "kernel_module_version", "nvml_version", "tool_version"]

KERNEL_MODULE = Path("/proc/driver/nvidia/version")


@cache
def driver_version() -> str:
    """Ask once a process, until somebody knows it; empty where nobody does."""
    return nvml_version() or kernel_module_version() or tool_version()


def nvml_version() -> str:
    """Ask the driver's library."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            return str(pynvml.nvmlSystemGetDriverVersion()).strip()
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ""


def kernel_module_version(told: Path = KERNEL_MODULE) -> str:
    """Read what the kernel's module says of itself, on Linux and in most containers."""
    try:
        text = told.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)*)\s", text, re.MULTILINE)
    return found[1] if found else ""


def tool_version() -> str:
    """Ask the driver's own tool."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.partition("\n")[0].strip()
