"""The projector: torch's own linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dsocr_cost import layers

from .builder import subject, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...measure.measurement import Subject
    from ..workshop import Workshop
    from .builder import Builder, Sizes

__all__ = ["BUILDERS"]


def _projector(layer: layers.MlpProjector, sizes: Sizes, shop: Workshop) -> Subject:
    width_in, width_out = layer.config.input_dim, layer.config.n_embed

    def make() -> torch.nn.Module:
        if layer.config.projector_type == "linear":
            return torch.nn.Linear(width_in, width_out)
        return torch.nn.Sequential(
            torch.nn.Linear(width_in, width_out), torch.nn.GELU(), torch.nn.Linear(width_out, width_out)
        )

    return subject(shop.module(make), lambda: tokens(width_in, sizes, shop))


BUILDERS: Mapping[type, Builder] = {
    layers.MlpProjector: _projector,
}
