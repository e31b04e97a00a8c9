"""Measures how near kernels come to what a machine can do, and keeps that as a profile."""
