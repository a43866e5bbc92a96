"""A small library of realistic pictures, made from nothing, the same every time."""

from coverslip.demo.library import make_library

__all__ = ["make_library"]
