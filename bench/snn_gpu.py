"""On a GPU: whole training steps straight from shards, against sinabs, EXODUS and SpikingJelly.

`python -m bench.snn_gpu` says so where there is none; `python -m bench snn_gpu` keeps results.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.bars import Bar, Settings, table, worst
from bench.dataset_sets import GESTURES, make
from bench.timing import Spread, exact, rounds_of
from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.loader import Loader
from evstore.datasets.manifest import NAME
from evstore.frames import Frames

BATCH, CLASSES, SIDE = 16, 11, 128
STEPS = (100, 500)  # of a sample
#: In a round: the first of them wait for what is read, later ones find it read ahead.
BATCHES = 8
WORKERS = 4
#: Against whom: what must be reached, what is aimed at.
BOUNDS = {"sinabs": (20, 30), "EXODUS": (1, 1.5), "SpikingJelly": (1, 1.5)}


def measure(settings: Settings) -> list[Bar]:
    if not gpu():
        return []
    ratios: dict[str, dict[str, Spread]] = {name: {} for name in BOUNDS}
    memory: dict[str, dict[str, Spread]] = {name: {} for name in BOUNDS}
    spoken = []
    for n_steps in STEPS[:1] if settings.quick else STEPS:
        name = f"T {n_steps}"
        loader = batches_of(settings, n_steps)
        fresh, trained = networks(), networks()
        for peer, (mine, other) in trained.items():
            runs = [Steps(one, loader) for one in (mine, other)]
            taken = rounds_of(settings.rounds, *runs)
            ratios[peer][name] = Spread.of(b / a for a, b in taken)
            spoken.append(f"{name}, {peer}: {differing(fresh[peer], loader)}")
            peaks = [one.peak_bytes() for one in runs]
            memory[peer][name] = exact(peaks[0] / peaks[1])
            if peer == "sinabs":
                each = Spread.of(1000 * a / BATCHES for a, _ in taken).median
                spoken.append(f"{name}: {each:.0f} ms a step, {peaks[0] / 1e6:,.0f} MB")
        spoken.append(f"{name}: {split(trained['sinabs'][0], loader)}")
    note = f"{gpu()}; batch {BATCH}; {WORKERS} workers on each side; ours " + "; ".join(spoken)
    bars = []
    for peer, parts in ratios.items():
        if parts:
            name = f"GPU: whole step from shards, 2x{SIDE}x{SIDE}, {', '.join(parts)}, "
            must, aim = BOUNDS[peer]
            bars += [
                Bar(f"{name}against {peer}", "x", "more", must, aim, worst(parts, "more"),
                    parts, note),
                Bar(f"{name}peak memory over that of {peer}", "x", "less", None, None,
                    worst(memory[peer], "less"), memory[peer], note),
            ]  # fmt: skip
    return bars


def gpu() -> str:
    """Its name, and nothing where there is none."""
    if find_spec("torch") is None or find_spec("sinabs") is None:
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


# ---------------------------------------------------------------------- data


def batches_of(settings: Settings, n_steps: int) -> Loader:
    """Simulated recordings of 300,000 events, straight from shards."""
    recordings = BATCH * BATCHES
    made = replace(GESTURES, name="gestures-gpu", recordings=recordings, distinct=recordings // 8)
    if settings.quick:
        made = replace(made, name="gestures-gpu-quick", events=20_000, duration_us=400_000)
    folder = settings.folder / "datasets" / made.name
    if not (folder / "evs" / NAME).exists():
        make(made, folder)
    dataset = Dataset(folder / "evs", frames=Frames(bins=n_steps, dtype="uint8"))
    return Loader(dataset, BATCH, num_workers=WORKERS, pin_memory=True, persistent_workers=True)


def on_gpu(loader: Loader) -> Iterator[tuple[Any, Any]]:
    for frames, labels, *_ in loader:
        yield frames.cuda(non_blocking=True), labels.cuda(non_blocking=True)


# ---------------------------------------------------------------------- networks


def networks() -> dict[str, tuple[Any, Any]]:
    """Of each peer that is here our network, and the same one in its layers."""
    import sinabs.activation as sa
    import torch

    import evstore.snn as snn
    from bench.snn_peers import in_sinabs, spikingjelly

    torch.manual_seed(1)
    ours = snn.models.gestures(CLASSES, (SIDE, SIDE))
    found = {"sinabs": (ours, in_sinabs(ours))}
    try:
        from sinabs.exodus.layers import IAFSqueeze
    except ImportError:
        pass
    else:
        found["EXODUS"] = (copy.deepcopy(ours), in_sinabs(ours, IAFSqueeze))
    jelly = spikingjelly()
    if jelly is not None:  # it has single spikes only, and no floor
        torch.manual_seed(1)
        options: dict[str, Any] = {"spike_fn": sa.SingleSpike, "min_v_mem": None}
        single = snn.models.gestures(CLASSES, (SIDE, SIDE), **options)
        found["SpikingJelly"] = (single, TimeFirst(single, jelly))
    return {name: (mine.cuda(), other.cuda()) for name, (mine, other) in found.items()}


class TimeFirst:
    """The network in SpikingJelly's neurons, whose axes are (T, B, ...) from end to end."""

    def __init__(self, model: Any, jelly: Any) -> None:
        import sinabs.layers as sl

        from bench.snn_peers import if_node

        self.reset = jelly.functional.reset_net
        self.net = copy.deepcopy(model)
        for name, child in model.named_children():
            if isinstance(child, sl.StatefulLayer):
                setattr(self.net, name, if_node(jelly, "cupy"))

    def __call__(self, frames: Any) -> Any:
        import torch

        weights = next(self.net.parameters())
        x = frames.transpose(0, 1).flatten(0, 1).to(weights.dtype)
        self.reset(self.net)
        for layer in self.net.children():
            if hasattr(layer, "v_threshold"):
                x = layer(x.unflatten(0, (frames.shape[1], frames.shape[0]))).flatten(0, 1)
            else:
                x = layer(x)
        assert isinstance(x, torch.Tensor)
        return x.unflatten(0, (frames.shape[1], frames.shape[0])).transpose(0, 1)

    def parameters(self) -> Any:
        return self.net.parameters()

    def cuda(self) -> TimeFirst:
        self.net.cuda()
        return self


# ---------------------------------------------------------------------- steps


class Steps:
    """An epoch of training steps, each from the shard to the weights."""

    def __init__(self, model: Any, loader: Loader) -> None:
        import torch

        self.model, self.loader, self.peak = model, loader, 0
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def __call__(self) -> None:
        import torch

        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()  # other networks' weights are there too
        torch.cuda.reset_peak_memory_stats()
        for frames, labels in on_gpu(self.loader):
            self.step(frames, labels)
        torch.cuda.synchronize()
        self.peak = max(self.peak, torch.cuda.max_memory_allocated() - before)

    def step(self, frames: Any, labels: Any) -> None:
        import torch

        self.optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(self.model(frames).sum(1), labels).backward()
        self.optimiser.step()

    def peak_bytes(self) -> int:
        """What the GPU held more in steps than before them."""
        return self.peak


def differing(pair: tuple[Any, Any], loader: Loader) -> str:
    """Of untrained networks' outputs; roundings differ between kernels, a spike can come later."""
    import torch

    frames, _ = next(on_gpu(loader))
    loader.seek(0)
    with torch.no_grad():
        mine, other = (model(frames) for model in pair)
    assert mine.any(), "the network does not spike"
    return f"{100 * float((mine != other).float().mean()):.2g} % of outputs differ"


def split(model: Any, loader: Loader) -> str:
    """Where the time of our steps goes: each phase waited for, so that their sum is longer."""
    import torch

    import evstore.snn as snn

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    seconds: dict[str, float] = {}

    def count(record: dict[str, Any]) -> None:
        for phase, taken in record.get("seconds", {}).items():
            seconds[phase] = seconds.get(phase, 0.0) + taken

    with snn.Monitor(model, every=0, writers=[count]) as monitor:
        for frames, labels in monitor.reading(on_gpu(loader)):
            with monitor.phase("forward"):
                optimiser.zero_grad(set_to_none=True)
                loss = torch.nn.functional.cross_entropy(model(frames).sum(1), labels)
                torch.cuda.synchronize()
            with monitor.phase("backward"):
                loss.backward()
                torch.cuda.synchronize()
            with monitor.phase("optimiser"):
                optimiser.step()
                torch.cuda.synchronize()
            monitor.step()
    total = sum(seconds.values())
    return ", ".join(f"{phase} {100 * taken / total:.0f} %" for phase, taken in seconds.items())


def main() -> int:
    if not gpu():
        print("no GPU")
        return 0
    from bench.__main__ import scratch

    quick = "--quick" in sys.argv
    bars = measure(Settings(0, 3 if quick else 7, quick, Path(scratch())))
    print(table(bars))
    for bar in bars:
        print(f"{bar.name}: {bar.note}")
    return int(any(bar.met == "no" for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
