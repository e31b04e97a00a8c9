"""The layers of DeepSeek-OCR, class for class with the reference."""

from .catalog import LAYERS
from .clip import NoTPAttention, NoTPFeedForward, NoTPTransformer, NoTPTransformerBlock, VitModel
from .clip_embeddings import CLIPVisionEmbeddings
from .decoder import DeepseekV2DecoderLayer, DeepseekV2RMSNorm, LMHead
from .layer import Layer, layer_name
from .llama import LlamaAttention, LlamaFlashAttention2
from .llama_rotary import LlamaRotaryEmbedding
from .moe import DeepseekV2MLP, DeepseekV2MoE, MoEGate
from .projector import MlpProjector
from .sam import ImageEncoderViT, LayerNorm2d, PatchEmbed
from .sam_attention import Attention
from .sam_block import Block, MLPBlock

__all__ = [
    "LAYERS",
    "Attention",
    "Block",
    "CLIPVisionEmbeddings",
    "DeepseekV2DecoderLayer",
    "DeepseekV2MLP",
    "DeepseekV2MoE",
    "DeepseekV2RMSNorm",
    "ImageEncoderViT",
    "LMHead",
    "Layer",
    "LayerNorm2d",
    "LlamaAttention",
    "LlamaFlashAttention2",
    "LlamaRotaryEmbedding",
    "MLPBlock",
    "MlpProjector",
    "MoEGate",
    "NoTPAttention",
    "NoTPFeedForward",
    "NoTPTransformer",
    "NoTPTransformerBlock",
    "PatchEmbed",
    "VitModel",
    "layer_name",
]
