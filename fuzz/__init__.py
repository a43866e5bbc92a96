"""Opens damaged files with every reader, in processes that may die. ``python3 dev.py fuzz``."""
