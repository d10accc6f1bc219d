"""What the groups of spiking networks measure: every row, of tiny networks and recordings."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
import sinabs.activation as sa
import sinabs.layers as sl
import torch

import evstore.snn as evs
from bench import snn, snn_fast, snn_gpu, snn_memory, snn_peers, snn_shards
from bench.bars import Bar, Settings
from bench.recordings import data_folder

JELLY = find_spec("spikingjelly") is not None
needs_jelly = pytest.mark.skipif(not JELLY, reason="SpikingJelly is not installed")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(snn, "QUICK", snn.Sizes((2, 8, (2, 4, 4)), 14, ((2, 16), (3, 20))))
    monkeypatch.setattr(snn_memory, "QUICK", (6,))
    for name, value in (("QUICK_SAMPLES", 8), ("BATCH", 4), ("EVENTS", 300), ("WORKERS", (0,))):
        monkeypatch.setattr(snn_fast, name, value)
    monkeypatch.setattr(snn_shards, "BATCH", 4)
    monkeypatch.setattr(snn_shards, "BINS", (2,))
    return Settings(events=0, rounds=1, quick=True, folder=tmp_path)


def check(bars: list[Bar]) -> None:
    for one in bars:
        assert one.name.startswith("CPU")
        assert one.unit == "x"
        assert one.measured.low > 0
        assert all(part.low > 0 for part in one.parts.values())


def test_layers_and_steps(tiny: Settings) -> None:
    bars = snn.measure(tiny)
    check(bars)
    assert [(one.must, one.aim) for one in bars] == [
        (8, 12), *([(1.5, 2.5)] if JELLY else []), (6, 8), (1.7, 1.3),
    ]  # fmt: skip
    assert list(bars[0].parts) == ["IAF, min_v_mem -1", "IAF, no min_v_mem", "LIF, tau_mem 20"]
    assert bars[0].measured in list(bars[0].parts.values())[:2]
    assert bars[-2].measured == bars[-2].parts["batch 2, T 16"]
    assert len(bars[-2].parts) == 4
    assert list(bars[-1].parts) == ["batch 2, T 16", "batch 3, T 20"]


def test_layers_that_differ_are_not_measured() -> None:
    x, g = snn.given((2, 50, (8,)))
    ours = snn.layer_pass(evs.IAF(), x, g)()
    with pytest.raises(AssertionError, match="spikes differ"):
        snn.check_equal(ours, snn.layer_pass(evs.IAF(min_v_mem=-0.1), x, g)(), "IAF")
    with pytest.raises(AssertionError, match="gradients differ"):
        snn.check_equal(ours, (ours[0], ours[1] * 1.0001), "IAF")


def test_the_twin_is_in_sinabs_layers() -> None:
    ours = evs.models.talk(resolution=(14, 14), min_v_mem=-2.0)
    twin: Any = snn_peers.in_sinabs(ours)
    # "is": our classes are equal to those of sinabs
    assert [i for i, layer in enumerate(twin) if type(layer) is sl.IAFSqueeze] == [1, 4, 8]
    assert [i for i, layer in enumerate(twin) if type(layer) is sl.SumPool2d] == [2, 5]
    assert float(twin[1].min_v_mem) == -2
    assert torch.equal(twin[0].weight, ours[0].weight)  # type: ignore[index]
    assert twin[0].weight is not ours[0].weight  # type: ignore[index]


@needs_jelly
def test_nothing_is_left_of_what_spikingjelly_would_import() -> None:
    before = {name for name in ("torchvision", "loguru") if name in sys.modules}
    assert snn_peers.spikingjelly() is not None
    assert {name for name in ("torchvision", "loguru") if name in sys.modules} == before


@needs_jelly
def test_the_network_in_spikingjellys_neurons() -> None:
    torch.manual_seed(1)
    ours = evs.models.talk(resolution=(14, 14), spike_fn=sa.SingleSpike, min_v_mem=None)
    frames, _ = snn.frames_of(3, 7, 14)
    other = snn_gpu.TimeFirst(ours, snn_peers.spikingjelly())
    with torch.no_grad():
        for _ in range(2):  # from states of zero each time
            assert torch.equal(other(frames), ours(frames * 1))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the memory")
def test_memory(tiny: Settings) -> None:
    (one,) = snn_memory.measure(tiny)
    check([one])
    assert list(one.parts) == ["T 6"]
    assert (one.must, one.aim, one.better) == (0.5, 0.3, "less")


@pytest.mark.skipif(data_folder() is None, reason="no real recordings")
def test_shards(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = snn_shards.Training

    def training(network: str) -> Any:
        made.append(network)
        return real("talk")  # the other one takes seconds to balance

    monkeypatch.setattr(snn_shards, "Training", training)
    bars = snn_shards.measure(tiny)
    check(bars)
    assert len(bars) == len(snn_shards.WAYS)
    assert made == ["talk", "digits"]
    assert all(list(one.parts) == ["talk, T 2", "digits, T 2"] for one in bars)
    assert [one.must for one in bars] == [1.15, None, None]


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("tonic", "h5py")), reason="needs tonic and h5py"
)
def test_train_fast(tiny: Settings) -> None:
    bars = snn_fast.measure(tiny)
    check(bars)
    assert [(one.must, one.aim) for one in bars] == [(4, 6), (None, None)]
    assert list(bars[0].parts) == ["naive with 0 workers"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(tiny: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert snn_gpu.measure(tiny) == []
    assert snn_gpu.main() == 0
    assert capsys.readouterr().out == "no GPU\n"
