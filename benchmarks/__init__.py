"""Benchmarks: ours and what a user would pick instead, side by side in one run. ``python3 dev.py bench``."""
