"""A whole deposition, made from nothing: two datasets of three runs, and a month later annotations of one of them."""

from coverslip.demo.deposition.folder import Example, write_deposition
from coverslip.demo.deposition.scene import RUNS, Run, Scene, scene_of

__all__ = ["RUNS", "Example", "Run", "Scene", "scene_of", "write_deposition"]
