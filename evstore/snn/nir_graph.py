"""Networks as NIR, the graph of neurons that other frameworks and chips read, and back."""

from __future__ import annotations

import io
import itertools
import json
import os
from typing import Any

import nir
import numpy as np
import sinabs.layers as sl
from torch import nn

from evstore import __version__
from evstore.errors import ArgumentError, CorruptError, FormatError, UnsupportedError
from evstore.snn.kinds import averaged_behind
from evstore.snn.models import TimeSequential
from evstore.snn.nir_file import read_graph
from evstore.snn.nir_layers import SKIPPED, layer_node, layer_of, shape_after
from evstore.snn.nir_neurons import neurons_node, neurons_of
from evstore.snn.whole_file import write_whole

_ROWS = (nn.Sequential.forward, TimeSequential.forward)
_TIME = (sl.FlattenTime, sl.UnflattenTime)


def to_nir(
    model: nn.Module,
    path: str | os.PathLike[str] | None = None,
    *,
    sample_shape: tuple[int, ...] | None = None,
) -> Any:
    """``model`` as a NIRGraph, and in the file ``path`` too, which is there as a whole or not.

    For a row of layers (nn.Sequential, `TimeSequential`, in each other as well): Linear, Conv2d,
    SumPool2d, AvgPool2d, Flatten, and IAF and LIF neurons; Dropout and Identity are left out. An
    AvgPool2d becomes a SumPool2d, and the weights behind it are divided by what it took the mean
    of. Under `fake_quantise`, the quantised weights are written. ``sample_shape`` is that of one
    frame, (P, H, W), or (features,), which a first linear layer knows.

    NIR has no word for ``min_v_mem``, several spikes a step, surrogates and how to reset: they
    stand in the graph's metadata, as JSON, which files keep. evstore reads them; another reader
    has neurons without a floor and with one spike a step (sinabs: a floor of -threshold). Time
    constants are in steps. Raises ArgumentError, which names the layer and says what to do, for
    others, and where a shape does not fit; OSError where it cannot be written.

    >>> from evstore.snn import models
    >>> sorted(to_nir(models.talk(), sample_shape=(2, 30, 30)).nodes)[-3:]
    ['8', 'input', 'output']
    """
    row = [(name, layer) for name, layer in _row(model, "") if not isinstance(layer, SKIPPED)]
    _check_shared(row)
    nodes, beside = _nodes(row, _first_shape(row, sample_shape))
    told = {"version": __version__, "reset": bool(getattr(model, "reset", False)), "nodes": beside}
    names = list(nodes)
    edges = list(itertools.pairwise(names))
    graph = nir.NIRGraph(nodes, edges, metadata={"evstore": json.dumps(told, allow_nan=False)})
    if path is not None:
        held = io.BytesIO()
        nir.write(held, graph)
        write_whole(path, held.getvalue())
    return graph


def from_nir(source: str | os.PathLike[str] | Any) -> TimeSequential:
    """The network of a NIR file or NIRGraph, of evstore's layers: (B, T, ...) -> (B, T, ...).

    What `to_nir` wrote computes as it did, bit for bit (averages as sums, of 2x2 or 4x4); numbers
    are float32. Of files by others, sinabs' among them, neurons are as sinabs reads them: IF has a
    ``min_v_mem`` of -threshold and several spikes a step; and each call begins with states of zero
    (set ``reset`` to change it). LIF nodes have ``norm_input`` where r is 1, as NIR says it;
    sinabs 3.1.3 writes the same r for neurons without, which no reader can tell.

    Raises FormatError where the file is none or damaged (CorruptError), or has kinds of nodes, or
    branches, that evstore does not read (UnsupportedError); OSError where it cannot be read.

    >>> import torch
    >>> from evstore.snn import models
    >>> model = models.talk()
    >>> again = from_nir(to_nir(model, sample_shape=(2, 30, 30)))
    >>> frames = torch.ones(1, 4, 2, 30, 30)
    >>> torch.equal(again(frames), model(frames))
    True
    """
    if not isinstance(source, (str, os.PathLike, nir.NIRGraph)):
        raise ArgumentError(f"a NIRGraph or the path of one, got {type(source).__name__}")
    path = None if isinstance(source, nir.NIRGraph) else source
    graph = source if path is None else read_graph(path)
    try:
        with np.errstate(all="ignore"):
            return _network(graph)
    except FormatError as error:
        raise (error if path is None else error.at(path)) from None
    except (TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        raise CorruptError(f"impossible values in the graph: {error}", path=path) from None


def _nodes(
    row: list[tuple[str, Any]], shape: tuple[int, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The nodes of layers, first of which gets ``shape``, and what stands beside them."""
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(shape)})}
    beside: dict[str, Any] = {}
    averaged = 1.0
    for own, layer in row:
        name = f"{own}_" if own in ("input", "output") else own  # those are NIR's
        if isinstance(layer, sl.StatefulLayer):
            _check_summed(name, averaged)
            nodes[name], beside[name] = neurons_node(name, layer, shape)
            continue
        nodes[name] = layer_node(name, layer, shape, averaged)
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            beside[name] = {"bias": layer.bias is not None}
        averaged = averaged_behind(layer, averaged)
        shape = _shape_after(name, layer, shape)
    _check_summed("at the end", averaged)
    nodes["output"] = nir.Output({"output": np.array(shape)})
    return nodes, beside


def _network(graph: Any) -> TimeSequential:
    told = _told(graph)
    names = _chain(graph)
    shape = tuple(int(side) for side in graph.nodes[names[0]].input_type["input"])
    if any(side < 1 for side in shape):
        raise CorruptError(f"node {names[0]!r}: no shape of a frame", got=shape)
    layers: list[Any] = []
    for name in names[1:-1]:
        node, beside = graph.nodes[name], told["nodes"].get(name)
        if isinstance(node, (nir.IF, nir.LIF)):
            layers.append(neurons_of(name, node, beside if told["ours"] else None))
            _check_neurons(name, layers[-1], shape)
            continue
        layers.append(layer_of(name, node, (beside or {}).get("bias")))
        try:
            shape = shape_after(layers[-1], shape)
        except (RuntimeError, IndexError, ValueError) as error:
            raise CorruptError(
                f"node {name!r} cannot get frames of shape {shape}: {error}"
            ) from None
    return TimeSequential(*layers, reset=bool(told["reset"]))


def _row(layer: Any, name: str) -> list[tuple[str, Any]]:
    """Layers in a row, those of rows in rows among them."""
    if isinstance(layer, sl.Repeat):
        return _row(layer.module, name)
    if isinstance(layer, _TIME):
        return []
    if not isinstance(layer, nn.Sequential):
        if list(layer.children()) and not isinstance(layer, sl.StatefulLayer):
            raise ArgumentError(f"{_called(name)}, a {type(layer).__name__}, has layers of its "
                                "own, in no known order; make it an nn.Sequential")  # fmt: skip
        return [(name or "layer", layer)]
    if type(layer).forward not in _ROWS:
        raise ArgumentError(f"{_called(name)}, a {type(layer).__name__}, computes in its own "
                            "way; only nn.Sequential and TimeSequential are rows")  # fmt: skip
    return [
        found
        for key, child in layer._modules.items()
        for found in _row(child, f"{name}.{key}" if name else key)
    ]


def _called(name: str) -> str:
    return f"layer {name!r}" if name else "the model"


def _check_shared(row: list[tuple[str, Any]]) -> None:
    seen: dict[int, str] = {}
    for name, layer in row:
        if isinstance(layer, sl.StatefulLayer) and id(layer) in seen:
            raise ArgumentError(f"layers {seen[id(layer)]!r} and {name!r} are the same neurons, "
                                "with one state for both; NIR cannot say that")  # fmt: skip
        seen[id(layer)] = name


def _first_shape(row: list[tuple[str, Any]], given: tuple[int, ...] | None) -> tuple[int, ...]:
    if given is not None:
        return tuple(int(side) for side in given)
    if row and isinstance(row[0][1], nn.Linear):
        return (row[0][1].in_features,)
    raise ArgumentError("say what one frame is, as sample_shape=(2, 34, 34): polarities, height "
                        "and width")  # fmt: skip


def _shape_after(name: str, layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return shape_after(layer, shape)
    except (RuntimeError, IndexError, ValueError) as error:
        raise ArgumentError(f"layer {name!r} cannot get frames of shape {shape}: {error}") from None


def _check_summed(name: str, averaged: float) -> None:
    if averaged != 1.0:
        raise ArgumentError(f"an AvgPool2d has no weights behind it ({name}) that a sum could be "
                            "made up for in; use SumPool2d")  # fmt: skip


def _check_neurons(name: str, layer: Any, shape: tuple[int, ...]) -> None:
    for values in (layer.spike_threshold, layer.min_v_mem, layer.tau_mem_calculated):
        if values is None:
            continue
        fits = len(values.shape) <= len(shape) and all(
            own in (1, side) for own, side in zip(values.shape[::-1], shape[::-1], strict=False)
        )
        if not fits:
            raise CorruptError(f"node {name!r}: numbers for neurons of another shape",
                               expected=shape, got=tuple(values.shape))  # fmt: skip


def _told(graph: Any) -> dict[str, Any]:
    """What `to_nir` wrote beside the graph."""
    text = graph.metadata.get("evstore")
    if text is None:
        return {"ours": False, "reset": True, "nodes": {}}
    try:
        told = json.loads(text)
    except (TypeError, ValueError) as error:
        raise CorruptError(f"evstore's metadata is no JSON: {error}") from None
    nodes = told.get("nodes") if isinstance(told, dict) else None
    if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
        raise CorruptError("evstore's metadata names no nodes")
    return {"ours": True, "reset": told.get("reset", True), "nodes": nodes}


def _chain(graph: Any) -> list[str]:
    """Names of the nodes from input to output, which must be a row."""
    edges = set(graph.edges)
    unknown = {name for edge in edges for name in edge} - set(graph.nodes)
    if unknown:
        raise CorruptError(f"edges of nodes that are not there: {sorted(unknown)[:4]}")
    after: dict[str, str] = {}
    for source, target in sorted(edges):
        if source in after:
            raise UnsupportedError(f"the graph branches at {source!r}: evstore reads rows only")
        after[source] = target
    inputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    if len(inputs) != 1:
        raise UnsupportedError("evstore reads graphs of one input", got=len(inputs))
    row = [inputs[0]]
    while row[-1] in after and len(row) <= len(graph.nodes):
        row.append(after[row[-1]])
    if len(row) != len(graph.nodes) or not isinstance(graph.nodes[row[-1]], nir.Output):
        raise UnsupportedError("the graph is no row of nodes from its input to one output")
    return row
