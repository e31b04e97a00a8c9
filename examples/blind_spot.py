"""What torch's own FLOP counter sees of a DeepSeek-OCR prefill, and what it passes over without a word.

Builds the decoder and its LM head on the meta device with transformers' defaults (no weights, no GPU), and counts a
prefill twice: with ``FlopCounterMode`` as it comes, and with the counter that pytest-dsocr measures with.
"""

import argparse

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.deepseek_ocr2.configuration_deepseek_ocr2 import DeepseekOcr2TextConfig
from transformers.models.deepseek_ocr2.modeling_deepseek_ocr2 import DeepseekOcr2TextModel

from dsocr_cost import DecoderConfig
from pytest_dsocr.measure.flops import count_flops
from pytest_dsocr.measure.formulas import FORMULAS


def build() -> tuple[torch.nn.Module, torch.nn.Module]:
    """Make the decoder and the LM head at their real sizes."""
    sizes = DecoderConfig()
    dense, layers = sizes.first_k_dense_replace, sizes.num_hidden_layers
    config = DeepseekOcr2TextConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        intermediate_size=sizes.intermediate_size,
        moe_intermediate_size=sizes.moe_intermediate_size,
        num_hidden_layers=layers,
        num_attention_heads=sizes.num_attention_heads,
        num_key_value_heads=sizes.num_key_value_heads,
        n_routed_experts=sizes.n_routed_experts,
        n_shared_experts=sizes.n_shared_experts,
        num_experts_per_tok=sizes.num_experts_per_tok,
        mlp_layer_types=["dense"] * dense + ["sparse"] * (layers - dense),
    )
    with torch.device("meta"):
        decoder = DeepseekOcr2TextModel(config)
        lm_head = torch.nn.Linear(sizes.hidden_size, sizes.vocab_size, bias=False)
    return decoder.eval().to(torch.bfloat16), lm_head.to(torch.bfloat16)


def main() -> None:
    """Count, and print both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=283, help="length of the prefill; default: %(default)s")
    positions = parser.parse_args().positions
    decoder, lm_head = build()
    embeddings = torch.zeros(1, positions, decoder.config.hidden_size, device="meta", dtype=torch.bfloat16)

    def prefill() -> torch.Tensor:
        return lm_head(decoder(inputs_embeds=embeddings).last_hidden_state)

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        prefill()
    seen, without, counted = (
        counter.get_total_flops(),
        count_flops(prefill, {}, "meta"),
        count_flops(prefill, FORMULAS, "meta"),
    )
    print(f"prefill of {positions} positions, decoder and LM head, on meta")
    print(f"  FlopCounterMode as it comes   {seen:>19,}   {seen / counted.value:.1%}, no warning")
    print(f"  pytest-dsocr                  {counted.value:>19,}")
    print(f"  without a formula it says     {without.problem}")


if __name__ == "__main__":
    main()
