"""Counts FLOPs with torch's own counter, and says what the counter could not count.

``torch.utils.flop_counter.FlopCounterMode`` adds up the ops that it has a formula for and is silent about the others:
grouped matmuls, the fused attention of the CPU, kernels from outside of torch. :class:`FlopMeasurer` watches every op
that runs under it. One that does matrix work and has no formula makes the count a problem instead of a figure.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import MeasurementError
from ..metrics import Metric, metric_named
from .measurement import Measurement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .memo import MetaMemo

__all__ = ["FlopMeasurer", "count_flops"]


class FlopMeasurer:
    """Measures ``tensor_flops``. Before its first count on a device it proves itself on ops of known size.

    ``formulas`` maps ``namespace::op`` to a formula in torch's form, for ops that torch has none for. On a CPU,
    attention runs as its two matmuls (``SDPBackend.MATH``), which the counter sees.
    """

    metric: Metric = metric_named("tensor_flops")

    def __init__(self, formulas: Mapping[str, Callable[..., int]]) -> None:
        self._formulas = dict(formulas)
        self._proven: set[str] = set()
        self._memo: MetaMemo | None = None

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Count one run, without gradients.

        Raises:
            MeasurementError: the counter miscounts an op of known size here.
            NotSupportedError: the module is compiled or scripted, or works on tensors that are not dense.
        """
        from .memo import MetaMemo
        from .refusals import refuse_module

        refuse_module(subject.module)
        self._memo = self._memo or MetaMemo()
        if device not in self._proven:
            self._prove(device)
            self._proven.add(device)
        args, kwargs = subject.inputs()  # made before the count: they are no work of the module
        return count_flops(lambda: subject.module(*args, **kwargs), self._formulas, device, self._memo)

    def _prove(self, device: str) -> None:
        from .canary import CANARIES

        ran = 0
        for canary in CANARIES:
            try:
                run = canary.prepare(device)
                run()
            except (NotImplementedError, RuntimeError):
                continue  # this device has no such kernel, so no layer can run one either
            ran += 1
            counted = count_flops(run, self._formulas, device)
            if counted.problem or counted.value != canary.flops:
                msg = (
                    f"the FLOP counter miscounts {canary.name} on {device}: got {counted.value:,}, "
                    f"it is {canary.flops:,} by hand{f'; {counted.problem}' if counted.problem else ''}"
                )
                raise MeasurementError(msg)
        if not ran:
            msg = f"the FLOP counter could not be proven on {device}: none of {len(CANARIES)} ops of known size ran"
            raise MeasurementError(msg)


def count_flops(
    run: Callable[[], Any], formulas: Mapping[str, Callable[..., int]], device: str, memo: MetaMemo | None = None
) -> Measurement:
    """Count the FLOPs of one call, op by op."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from .threads import Threads
    from .watch import Watch, resolve_op

    custom = {op: formula for name, formula in formulas.items() if (op := resolve_op(name)) is not None}
    counter = FlopCounterMode(display=False, custom_mapping=custom)
    watch = Watch(counter, memo)
    # every fused attention of a GPU has a formula; elsewhere attention is counted as the two matmuls that it is
    backends = nullcontext() if device.startswith("cuda") else sdpa_kernel(SDPBackend.MATH)
    # the watch stands under the counter, so that it sees the ops that the counter has decomposed others into
    with torch.no_grad(), backends, watch, counter, Threads() as threads:
        watch.finish(run())
    flops, seen = counter.get_total_flops(), sum(call.count for call in watch.calls)
    problem = "; ".join(filter(None, (watch.problem(), threads.problem())))
    if not problem and flops != seen:
        problem = f"the counter's total is {flops:,}, its calls add up to {seen:,}"
    return Measurement(flops, tuple(watch.calls), problem=problem)
