"""Rows in, text out. Nothing here knows torch or pytest."""
