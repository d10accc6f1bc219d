"""A simulated event sensor: recordings of any size, rate and length, the same for the same seed."""

from evstore.synth.kinds import KINDS
from evstore.synth.simulation import simulate

__all__ = ["KINDS", "simulate"]
