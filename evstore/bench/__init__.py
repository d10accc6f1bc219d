"""One recording, kept and read in evstore's way and in others: sizes and speeds side by side.

`evstore.bench.run` does it; a process that measures one contender imports no more than it needs.
"""
