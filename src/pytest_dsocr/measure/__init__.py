"""Module in, figure out. Nothing here imports torch until something is measured."""
