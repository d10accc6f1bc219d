"""One recording, kept and read in evstore's way and in others: sizes and speeds side by side."""

from evstore.bench.run import bench

__all__ = ["bench"]
