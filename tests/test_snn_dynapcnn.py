"""sinabs' DynapcnnNetwork takes our networks as its own; samna stands for nothing here."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: the stand-ins for the vendor's library must not stay.
PROGRAM = """
import sys, types, warnings
from importlib.machinery import ModuleSpec
warnings.simplefilter("ignore")

class Anything(types.ModuleType):
    def __init__(self, name):
        super().__init__(name)
        self.__spec__, self.__path__ = ModuleSpec(name, None), []
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

for name in ("samna", "samnagui", "samna.device", "samna.graph", "samna.speck2e", "samna.speck2f",
             "samna.speck2e.configuration", "samna.speck2f.configuration"):
    sys.modules[name] = Anything(name)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, sys.modules[name])

import torch
from sinabs.backend.dynapcnn import DynapcnnNetwork
import sinabs.layers as sl
from evstore import snn

torch.manual_seed(0)
made = snn.models.talk()
plain = torch.nn.Sequential(*(
    sl.IAFSqueeze(batch_size=1, min_v_mem=-1.0) if isinstance(layer, sl.IAFSqueeze)
    else sl.SumPool2d(2) if isinstance(layer, sl.SumPool2d) else layer
    for layer in made
))
chips = [DynapcnnNetwork(one, input_shape=(2, 30, 30), discretize=True) for one in (made, plain)]
frames = torch.poisson(torch.full((20, 2, 30, 30), 0.3))
for chip in chips:
    for layer in chip.dynapcnn_layers.values():
        layer.spk_layer.batch_size = 1
outputs = [chip(frames) for chip in chips]
kinds = {type(layer.spk_layer) for layer in chips[0].dynapcnn_layers.values()}
assert kinds == {snn.IAFSqueeze}, kinds
assert torch.equal(*outputs) and outputs[0].sum() > 0, outputs[0].sum()
weights = [dict(chip.named_parameters()) for chip in chips]
assert weights[0].keys() == weights[1].keys() and len(weights[0]) == 9, weights[0].keys()
for name, values in weights[0].items():
    assert torch.equal(values, weights[1][name]), name
    assert not name.endswith("conv.weight") or values.abs().max() == 127, name
print("the same network on the chip")
"""


def test_our_network_is_taken_as_sinabs_own() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stderr
    assert "the same network on the chip" in run.stdout
