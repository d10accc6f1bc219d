"""Records for TensorBoard: scalars, and histograms of weights and spikes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from evstore.errors import MissingDependencyError
from evstore.snn.monitor.plain import plain

#: What a record has beside its numbers.
NAMES = ("kind", "epoch", "step", "split")
#: Lists of numbers that say which layer it is; no curves.
NOT_DRAWN = ("shape", "min_v_mem", "threshold")


class TensorBoard:
    """Write each record to ``folder``, for `tensorboard --logdir`.

    Steps and layers stand at their step, epochs at their epoch. Raises MissingDependencyError where
    tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingDependencyError("tensorboard", "tensorboard", "TensorBoard") from None
        self._writer: Any = SummaryWriter(os.fspath(folder))

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        record = plain(record)
        kind = str(record.get("kind", "record"))
        at = record.get("epoch" if kind == "epoch" else "step")
        layers = record.get("layers")
        if kind == "layers" and isinstance(layers, dict):
            for name, layer in layers.items():
                self._histograms(f"layers/{name}", layer, at)
                self._scalars(f"layers/{name}", layer, at)
            return
        where = f"{kind}/{record['split']}" if "split" in record else kind
        self._scalars(where, {k: v for k, v in record.items() if k not in NAMES}, at)

    def _scalars(self, where: str, values: dict[str, Any], at: int | None) -> None:
        for tag, value in _numbers(where, values):
            self._writer.add_scalar(tag, value, at)

    def _histograms(self, where: str, layer: dict[str, Any], at: int | None) -> None:
        weights = (layer.get("weights") or {}).get("histogram")
        if weights:
            width = (weights["high"] - weights["low"]) / len(weights["counts"])
            tops = [weights["low"] + width * (i + 1) for i in range(len(weights["counts"]))]
            self._histogram(f"{where}/weights", tops, weights["counts"], at)
        if "spikes_per_step" in layer:
            counts = layer["spikes_per_step"]
            self._histogram(f"{where}/spikes_per_step", list(range(len(counts))), counts, at)
        if "intervals_steps" in layer:
            counts = layer["intervals_steps"]
            tops = [2 ** (i + 1) - 1 for i in range(len(counts))]
            self._histogram(f"{where}/intervals_steps", tops, counts, at)

    def _histogram(self, tag: str, tops: list[float], counts: list[int], at: int | None) -> None:
        """Bins up to ``tops``: sums are as if all values stood there."""
        self._writer.add_histogram_raw(
            tag, min=tops[0], max=tops[-1], num=sum(counts),
            sum=sum(t * n for t, n in zip(tops, counts, strict=True)),
            sum_squares=sum(t * t * n for t, n in zip(tops, counts, strict=True)),
            bucket_limits=tops, bucket_counts=counts, global_step=at,
        )  # fmt: skip

    def close(self) -> None:
        """Write what waits, and close."""
        self._writer.close()

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _numbers(where: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Tags and numbers, at any depth; texts and lists are left out."""
    for key, value in values.items():
        if key in NOT_DRAWN or key == "histogram":
            continue
        if isinstance(value, Mapping):
            yield from _numbers(f"{where}/{key}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{where}/{key}", value
