"""The projector from the vision tower's channels to the decoder's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import Tensor, linear, linear_params, pointwise
from ..moment import Boundary, Moment
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import ProjectorConfig
    from ..op import Count, Op

__all__ = ["MlpProjector"]


@dataclass(frozen=True, slots=True)
class MlpProjector:
    """One linear with bias (this model), or ``mlp_gelu``: linear, GELU, linear, as other models of its family have.

    Its input joins CLIP's patches, without the class token, with SAM's features: [b, patches, 2048].
    """

    group: ClassVar[str] = "vision"
    config: ProjectorConfig

    @sized
    def ops(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` images of ``tokens`` patches."""
        item, rows, width = execution.item_bytes, batch * tokens, self.config.n_embed
        yield linear("layers.0", item, rows, self.config.input_dim, width, bias=True)
        if self.config.projector_type == "mlp_gelu":
            yield pointwise("layers.1", Tensor(rows * width, item), Tensor(rows * width, item))
            yield linear("layers.2", item, rows, width, width, bias=True)

    @sized
    def boundary(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give a vector a patch."""
        rows, item = batch * tokens, execution.item_bytes
        return Boundary(rows * (self.config.input_dim * item), rows * (self.config.n_embed * item))

    @sized
    def moments(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the linear, or at the GELU after the first of two."""
        inputs, out = self.boundary(batch, tokens, execution=execution)
        if self.config.projector_type == "mlp_gelu":
            yield Moment("layers.1", inputs + 2 * out)
        else:
            yield Moment("layers.0", inputs + out)

    @property
    def params(self) -> int:
        """One linear, or two."""
        first = linear_params(self.config.input_dim, self.config.n_embed, bias=True)
        if self.config.projector_type == "mlp_gelu":
            return first + linear_params(self.config.n_embed, self.config.n_embed, bias=True)
        return first
