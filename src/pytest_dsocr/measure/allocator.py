"""Whether freed memory stays with the process, as it does with a server's allocator and with torch's own on a card.

glibc gives large blocks back to the kernel when they are freed, and gets them again page by page, each with a fault: in
a prefill that is a third of the time, and a different one each minute.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

__all__ = ["keep_freed_memory", "page_faults"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of <malloc.h>
_NEVER, _NONE = -1, 0


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees, from now on; say whether it does. Other libraries are left alone."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_MAX, _NONE) and mallopt(_M_TRIM_THRESHOLD, _NEVER))


def page_faults() -> int:
    """Count the page faults of this process until now, without those that read from a disk; 0 where nobody counts."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
