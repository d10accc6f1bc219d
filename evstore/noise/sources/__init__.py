"""Noise that adds events: what makes them in order of time, and the transforms that merge them."""
