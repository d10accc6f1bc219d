"""What every layer of a network does while it is trained: spikes, SynOps, weights, and the time.

`Monitor` measures; what it found goes as plain dicts to any callable, as `JsonLines` and
`TensorBoard` are.
"""
