"""`Monitor`: what every layer does, and where the time goes, while a network is trained."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.snn.monitor.json_lines import JsonLines
from evstore.snn.monitor.layers import gradients_of, numbers
from evstore.snn.monitor.neurons import Counts, save_neurons
from evstore.snn.monitor.seconds import Clock, bottleneck
from evstore.snn.monitor.taps import Taps
from evstore.snn.monitor.weights import total_gradient_norm

Batch = TypeVar("Batch")
Writer = Callable[[dict[str, Any]], object]


class Monitor:
    """Measure a network in any training loop; the network itself is not touched.

    Every ``every``-th step, the first among them, is looked at in full (0: none): of each spiking
    layer (sinabs' or evstore's) firing rate, spikes a step, intervals, dead and saturated neurons,
    membrane range; of each Conv1d, Conv2d and Linear SynOps, spread and 8-bit error of weights,
    weight to threshold, gradient. In between there are no hooks. ``dt_us``, the length of a step,
    adds rates in Hz. Each of ``writers`` is called with each record, a dict of plain numbers (see
    `JsonLines`, `TensorBoard`; wandb's and aim's take it too). ``neurons`` (.npz) gets the numbers
    of each neuron at `end_epoch`; unless given it is neurons.npz beside the first `JsonLines`.

    What is looked at: forwards within ``phase("forward")``; without such phases, all since the
    batch came from `reading`, or since the last step. Of several the last one counts, be it under
    torch.no_grad or not. To look at a step took a ninth of it (models.talk, 34x34, 16 samples of 20
    steps, one core): 20 is far below 5 %. Raises ArgumentError for a negative ``every`` or
    ``dt_us`` <= 0.

    >>> from torch import nn
    >>> from evstore.snn import IAF
    >>> model, records = nn.Sequential(nn.Linear(2, 3), IAF()), []
    >>> with Monitor(model, every=10, writers=[records.append]) as monitor:
    ...     for frames in monitor.reading([torch.ones(4, 5, 2)]):
    ...         with monitor.phase("forward"):
    ...             loss = model(frames).sum()
    ...         with monitor.phase("backward"):
    ...             loss.backward()
    ...         monitor.step(loss=loss, epoch=0)
    >>> [record["kind"] for record in records], list(records[1]["layers"])
    (['step', 'layers'], ['0', '1'])
    """

    def __init__(
        self,
        model: torch.nn.Module,
        every: int = 20,
        dt_us: float | None = None,
        writers: Sequence[Writer] = (),
        neurons: str | os.PathLike[str] | None = None,
    ) -> None:
        if every < 0:
            raise ArgumentError(f"every is 0 (no layers) or a number of steps, got {every}")
        if dt_us is not None and not dt_us > 0:
            raise ArgumentError(f"dt_us is the length of a step in microseconds, got {dt_us}")
        self.every, self.dt_us, self.writers = every, dt_us, list(writers)
        self._model, self._taps, self._clock = model, Taps(model), Clock()
        self._path = neurons if neurons is not None else _beside(self.writers)
        self._next = 0
        self._due = every > 0
        self._guided = False  # by `reading` or phases: hooks come only where a forward is awaited
        self._gradients: tuple[dict[str, float | None], float | None] | None = None
        self._window: dict[str, Counts] = {}
        self._saved = False
        self._open = True
        self._listen()

    def reading(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the loader's batches; what it takes to get one is the phase "data"."""
        self._guided = True
        self._taps.take_off()
        self._clock.pause_ends()
        batches = iter(loader)
        try:
            while True:
                began = time.perf_counter()
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                self._clock.add("data", time.perf_counter() - began)
                self._listen(anew=True)
                yield batch
        finally:
            self._taps.take_off()
            if callable(close := getattr(batches, "close", None)):
                close()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block: "forward", "backward", "optimiser", or a name of your own.

        On a GPU, steps that are looked at wait for it at each end; of others the time is that of
        handing the work over.
        """
        if name == "forward":
            self._guided = True
            self._listen(anew=True)
        self._wait()
        began, hooks = time.perf_counter(), self._taps.seconds
        try:
            yield
            self._wait()
        finally:
            spent = time.perf_counter() - began
            if name == "forward":
                self._taps.take_off()
            hooks = self._taps.seconds - hooks
            self._clock.add(name, spent - hooks)
            self._clock.add("logging", hooks)
        if name == "backward" and self._due:
            with self._logging():
                self._take_gradients()

    def step(
        self,
        loss: Any = None,
        terms: Mapping[str, Any] | None = None,
        lr: float | None = None,
        epoch: int | None = None,
        step: int | None = None,
        grad_norm: Any = None,
        **more: Any,
    ) -> None:
        """End a step: write its record, and that of the layers where it was looked at.

        ``step`` is its number where a run goes on with one; ``grad_norm`` that of all gradients
        where it is known, else it is found on steps that are looked at, as it was at the end of
        ``phase("backward")``. ``more`` goes into the record as it is; what is None is left out:
        a null in a line of JSON was NaN.
        """
        self._check_open()
        number = self._next if step is None else step
        sampled = self._due and bool(self._taps.forward.order)
        with self._logging():
            layers = self._layers() if sampled else None
            if grad_norm is None and self._gradients is not None:
                grad_norm = self._gradients[1]
            found = {"loss": loss, "terms": dict(terms or {}), "lr": lr, "grad_norm": grad_norm}
            found = {key: _number(value) for key, value in found.items() if value is not None}
            self._taps.forget()
            self._taps.take_off()
        record = {"kind": "step", "epoch": epoch, "step": number, **found, **more}
        record |= {"sampled": sampled, "seconds": self._clock.take()}
        if self._waits:
            record["waited"] = True
        with self._logging():  # counts to the step that comes
            self.write(record)
            if layers is not None:
                self.write({"kind": "layers", "epoch": epoch, "step": number, "layers": layers})
        self._plan(number + 1, sampled)

    def write(self, record: dict[str, Any]) -> None:
        """Hand a record of any kind to all writers."""
        for writer in self.writers:
            writer(record)

    def end_epoch(self, epoch: int | None = None) -> None:
        """Save what was counted of each neuron, and begin anew: "dead" is of an epoch.

        An epoch in which no step was looked at leaves the file of before.
        """
        self._check_open()
        if self._window and self._path is not None:
            save_neurons(self._path, self._window, epoch)
            self._saved = True
        self._window = {}
        self._clock.sums = {}
        self._clock.pause_ends()

    def neurons(self) -> dict[str, dict[str, NDArray[np.generic]]]:
        """Arrays of each layer's neurons, in its shape, of this epoch so far.

        See `evstore.snn.monitor.neurons.Counts.by_neuron` for what there is of each.
        """
        return {name: counts.by_neuron() for name, counts in self._window.items()}

    def bottleneck(self) -> tuple[str, float] | None:
        """The phase that took most of this epoch so far, and its share; None before any step."""
        return bottleneck(self._clock.sums)

    def close(self) -> None:
        """Take the hooks off and close the writers that can be.

        Neurons are saved where no epoch has ended yet: a run that was cut short has them too.
        """
        if not self._open:
            return
        self._open = False
        self._taps.take_off()
        self._taps.forget()
        try:
            if self._window and self._path is not None and not self._saved:
                save_neurons(self._path, self._window, None)
        finally:
            for writer in self.writers:
                if callable(close := getattr(writer, "close", None)):
                    close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self, anew: bool = False) -> None:
        """Put the hooks on if this step is to be looked at."""
        if anew:
            self._taps.forget()
            self._gradients = None
        if self._due and self._open:
            self._taps.put_on()

    def _plan(self, number: int, sampled: bool) -> None:
        """What the next step will be: one that saw no forward is made up for by the next."""
        missed = self._due and not sampled
        self._next, self._gradients = number, None
        self._due = self.every > 0 and (missed or number % self.every == 0)
        if not self._guided:
            self._listen()

    def _layers(self) -> dict[str, dict[str, Any]]:
        seen = self._taps.forward
        if self._gradients is None:
            self._take_gradients()
        assert self._gradients is not None
        for name, spiking in seen.spiking.items():
            before = self._window.get(name)
            if before is not None and before.shape == spiking.counts.shape:
                before.add(spiking.counts)
            else:  # of other neurons, where frames have another size now
                self._window[name] = spiking.counts
        return numbers(seen, self._window, self._gradients[0], self.dt_us)

    def _take_gradients(self) -> None:
        self._gradients = gradients_of(self._taps.forward), total_gradient_norm(self._model)

    @contextlib.contextmanager
    def _logging(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._clock.add("logging", time.perf_counter() - began)

    @property
    def _waits(self) -> bool:
        """Whether times are those of a GPU as well, not only of handing work over to it."""
        return self._due and torch.cuda.is_initialized()

    def _wait(self) -> None:
        if self._waits:
            torch.cuda.synchronize()

    def _check_open(self) -> None:
        if not self._open:
            raise ArgumentError("the monitor is closed: make a new one for more steps")


def _number(value: Any) -> Any:
    """Without its graph: a record may be kept by whoever gets it."""
    if isinstance(value, Mapping):
        return {key: _number(one) for key, one in value.items()}
    return float(value.detach()) if isinstance(value, torch.Tensor) else value


def _beside(writers: Sequence[Writer]) -> str | None:
    """neurons.npz in the folder of the first `JsonLines`."""
    for writer in writers:
        if isinstance(writer, JsonLines):
            return os.path.join(os.path.dirname(os.path.abspath(writer.path)), "neurons.npz")
    return None
