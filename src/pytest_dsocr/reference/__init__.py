"""Builds the real modules that predictions are held against. Nothing here imports torch until one is built."""
