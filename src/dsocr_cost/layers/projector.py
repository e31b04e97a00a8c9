"""The projector from the vision tower's channels to the decoder's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import linear, linear_params
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
        rows = batch * tokens
        yield linear("layers.0", rows, self.config.input_dim, self.config.n_embed)
        if self.config.projector_type == "mlp_gelu":
            yield linear("layers.2", rows, self.config.n_embed, self.config.n_embed)

    @property
    def params(self) -> int:
        """One linear, or two."""
        first = linear_params(self.config.input_dim, self.config.n_embed, bias=True)
        if self.config.projector_type == "mlp_gelu":
            return first + linear_params(self.config.n_embed, self.config.n_embed, bias=True)
        return first
