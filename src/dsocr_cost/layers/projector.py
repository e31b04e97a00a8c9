"""The projector from the vision tower's channels to the decoder's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import Tensor, linear, linear_params, pointwise
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

    @property
    def params(self) -> int:
        """One linear, or two."""
        first = linear_params(self.config.input_dim, self.config.n_embed, bias=True)
        if self.config.projector_type == "mlp_gelu":
            return first + linear_params(self.config.n_embed, self.config.n_embed, bias=True)
        return first
