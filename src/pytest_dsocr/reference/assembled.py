"""The whole of DeepSeek-OCR from transformers' modules, in the model's own order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import DynamicCache

__all__ = ["AssembledDecoder", "AssembledModel", "AssembledVision"]


class AssembledVision(nn.Module):
    """SAM, CLIP over its features, the projector; newlines and a separator between what comes out.

    Takes the batches of views in the order in which the model runs them: all crops as one, then the global views.
    """

    def __init__(self, sam: nn.Module, clip: nn.Module, projector: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.sam = sam
        self.clip = clip
        self.projector = projector
        self.image_newline = nn.Parameter(torch.empty(hidden_size))
        self.view_separator = nn.Parameter(torch.empty(hidden_size))

    def forward(self, batches: Sequence[torch.Tensor], crops: tuple[int, int] | None) -> torch.Tensor:
        """Turn pixels, one [images, 3, size, size] a batch of views, into image tokens [pages, tokens, hidden].

        ``crops`` is the grid (high, wide) that the first batch holds for each page; None if there is none.
        """
        features = [self._encode(pixels) for pixels in batches]
        pages = batches[-1].shape[0]
        grids = [(1, 1)] if crops is None else [crops, (1, 1)]
        tokens = [self._lay_out(one, pages, grid) for one, grid in zip(features, grids, strict=True)]
        separator = self.view_separator.expand(pages, 1, -1)
        return torch.cat([*tokens, separator], dim=1)

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the tower: [images, 3, size, size] to [images, side, side, hidden]."""
        sam = self.sam(pixels).last_hidden_state
        clip = self.clip(sam, interpolate_pos_encoding=True).last_hidden_state
        joined = torch.cat([clip[:, 1:], sam.flatten(2).transpose(1, 2)], dim=-1)
        return self.projector(joined).unflatten(1, sam.shape[-2:])  # type: ignore[no-any-return]

    def _lay_out(self, features: torch.Tensor, pages: int, grid: tuple[int, int]) -> torch.Tensor:
        """Join the crops of a page into one map, and end each of its rows with a newline."""
        high, wide = grid
        _, rows, columns, hidden = features.shape
        page = features.view(pages, high, wide, rows, columns, hidden).transpose(2, 3)
        page = page.reshape(pages, high * rows, wide * columns, hidden)
        newlines = self.image_newline.expand(pages, high * rows, 1, hidden)
        return torch.cat([page, newlines], dim=2).flatten(1, 2)


class AssembledDecoder(nn.Module):
    """The text model and the LM head on every position, over a real KV cache."""

    def __init__(self, text_model: nn.Module, lm_head: nn.Module) -> None:
        super().__init__()
        self.text_model = text_model
        self.lm_head = lm_head

    def forward(self, embeddings: torch.Tensor, cache: DynamicCache) -> tuple[torch.Tensor, Any]:
        """Turn [batch, positions, hidden] into fp32 logits [batch, positions, vocabulary], and extend the cache."""
        out = self.text_model(inputs_embeds=embeddings, past_key_values=cache, use_cache=True)
        return self.lm_head(out.last_hidden_state).float(), out.past_key_values

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up [batch, positions] to [batch, positions, hidden]."""
        return self.text_model.get_input_embeddings()(tokens)  # type: ignore[operator, no-any-return]


class AssembledModel(nn.Module):
    """A whole run: vision, the prefill of its image tokens and a text, then greedy decode over the same KV cache."""

    def __init__(self, vision: AssembledVision, decoder: AssembledDecoder) -> None:
        super().__init__()
        self.vision = vision
        self.decoder = decoder

    def forward(
        self,
        batches: Sequence[torch.Tensor],
        crops: tuple[int, int] | None,
        text: torch.Tensor,
        cache: DynamicCache,
        decode_steps: int,
    ) -> torch.Tensor:
        """Turn pixels and text [pages, positions] into tokens [pages, 1 + decode_steps].

        ``batches`` and ``crops`` are what :class:`AssembledVision` takes; the image stands before the text. The first
        token is the prefill's; each decode step embeds the one before it and gives one more. Nothing but pixels, text,
        cache and tokens stays from one forward to the next.
        """
        prompt = torch.cat([self.vision(batches, crops), self.decoder.embed(text)], dim=1)
        logits, cache = self.decoder(prompt, cache)
        tokens = [logits[:, -1:].argmax(dim=-1)]
        del prompt, logits
        for _ in range(decode_steps):
            logits, cache = self.decoder(self.decoder.embed(tokens[-1]), cache)
            tokens.append(logits.argmax(dim=-1))
            del logits
        return torch.cat(tokens, dim=1)
