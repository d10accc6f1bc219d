"""Layers without a state as nodes of NIR, and back."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import sinabs.layers as sl
import torch
from torch import nn

from evstore.errors import ArgumentError, CorruptError, UnsupportedError
from evstore.snn.kinds import computes_as
from evstore.snn.pairs import used_weights
from evstore.snn.pooling import SumPool2d
from evstore.snn.quantise import QUANTISED

_LARGEST = 1 << 16
#: What may be left out of a network that only computes.
SKIPPED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


_KNOWN = (
    nn.Linear, nn.Conv2d, *QUANTISED, nn.Flatten, nn.AvgPool2d, nn.LPPool2d, sl.SumPool2d, SumPool2d
)  # fmt: skip


def layer_node(name: str, layer: Any, shape: tuple[int, ...], averaged: float) -> Any:
    """NIR's node of a layer that gets ``shape``; weights behind sums, where means were before."""
    if isinstance(layer, _KNOWN) and not computes_as(layer, _KNOWN):
        raise ArgumentError(f"layer {name!r}, a {type(layer).__name__}, computes in its own way, "
                            "which NIR cannot say")  # fmt: skip
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        weight, bias = used_weights(layer)
        weight = _array(weight / averaged)
        bias = np.zeros(weight.shape[0], weight.dtype) if bias is None else _array(bias)
        if isinstance(layer, nn.Linear):
            return nir.Affine(weight=weight, bias=bias)
        return _conv(name, layer, shape, weight, bias)
    if isinstance(layer, nn.Flatten):
        start, end = (dim - 1 if dim > 0 else dim for dim in (layer.start_dim, layer.end_dim))
        return nir.Flatten({"input": np.array(shape)}, start, end)
    if isinstance(layer, nn.LPPool2d) and layer.norm_type == 1 and not layer.ceil_mode:
        return _sum_pool(layer)
    if isinstance(layer, nn.AvgPool2d) and not layer.ceil_mode and _pair(layer.padding) == (0, 0):
        return _sum_pool(layer)
    raise ArgumentError(f"layer {name!r}, {layer}, has no equal in NIR that evstore writes; "
                        + _advice(layer))  # fmt: skip


def layer_of(name: str, node: Any, bias: bool | None) -> Any:
    """The layer that a node stands for; ``bias`` says whether it has any (None: where not all 0).

    Raises UnsupportedError for other kinds of nodes, CorruptError for impossible values.
    """
    if isinstance(node, (nir.Affine, nir.Linear)):
        return _weights(nn.Linear, name, node, 2, bias, {})
    if isinstance(node, nir.Conv2d):
        padding: Any = node.padding
        options = {
            "stride": _sizes(name, node.stride),
            "padding": padding if isinstance(padding, str) else _sizes(name, padding, 0),
            "dilation": _sizes(name, node.dilation),
            "groups": int(node.groups),
        }
        return _weights(nn.Conv2d, name, node, 4, bias, options)
    if isinstance(node, nir.SumPool2d):
        if np.any(np.asarray(node.padding) != 0):
            raise UnsupportedError(f"node {name!r}: sum pools with padding are not supported")
        return SumPool2d(_sizes(name, node.kernel_size), _sizes(name, node.stride))
    if isinstance(node, nir.Flatten):
        dims = [int(node.start_dim), int(node.end_dim)]
        return nn.Flatten(*(dim + 1 if dim >= 0 else dim for dim in dims))
    raise UnsupportedError(f"node {name!r} is of a kind that evstore does not read",
                           expected="Affine, Linear, Conv2d, SumPool2d, Flatten, IF or LIF",
                           got=type(node).__name__)  # fmt: skip


def shape_after(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a layer without state gives; computes and holds nothing.

    Raises what torch does where ``shape`` does not fit.
    """
    weighted = isinstance(layer, (nn.Linear, nn.Conv2d))
    frame = torch.empty((1, *shape), device="meta")
    values = _on_meta(layer)(frame) if weighted else layer(frame)
    return tuple(values.shape[1:])


def _on_meta(layer: Any) -> Any:
    """The same layer, whose weights are only shapes."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, layer.out_features, bias, device="meta")
    return nn.Conv2d(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
        layer.dilation, layer.groups, bias, device="meta",
    )  # fmt: skip


def _conv(name: str, layer: Any, shape: tuple[int, ...], weight: Any, bias: Any) -> Any:
    if layer.padding_mode != "zeros":
        raise ArgumentError(f"layer {name!r}: padding with {layer.padding_mode!r} has no equal in "
                            "NIR; pad with zeros")  # fmt: skip
    return nir.Conv2d(
        input_shape=tuple(shape[-2:]), weight=weight, stride=_pair(layer.stride),
        padding=layer.padding if isinstance(layer.padding, str) else _pair(layer.padding),
        dilation=_pair(layer.dilation), groups=layer.groups, bias=bias,
    )  # fmt: skip


def _sum_pool(layer: Any) -> Any:
    kernel = _pair(layer.kernel_size)
    stride = kernel if layer.stride is None else _pair(layer.stride)
    return nir.SumPool2d(np.array(kernel), np.array(stride), np.array((0, 0)))


def _advice(layer: Any) -> str:
    if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return "merge it into the layer before it"
    if isinstance(layer, (nn.AvgPool2d, nn.LPPool2d, nn.MaxPool2d)):
        return "use sinabs' SumPool2d, or an AvgPool2d without padding and ceil_mode"
    return ("it writes Linear, Conv2d, SumPool2d, AvgPool2d, Flatten and IAF and LIF neurons in a "
            "row; Dropout and Identity are left out")  # fmt: skip


def _weights(
    kind: Any, name: str, node: Any, axes: int, bias: bool | None, options: dict[str, Any]
) -> Any:
    weight, held = np.asarray(node.weight), np.asarray(getattr(node, "bias", 0.0))
    if weight.ndim != axes or weight.dtype.kind != "f" or 0 in weight.shape:
        raise CorruptError(f"node {name!r}: weights are no numbers of {axes} axes",
                           got=f"{weight.dtype} of shape {weight.shape}")  # fmt: skip
    if held.shape not in ((), weight.shape[:1]) or held.dtype.kind not in "fiu":
        raise CorruptError(f"node {name!r}: no bias for each of the {len(weight)} outputs",
                           got=f"{held.dtype} of shape {held.shape}")  # fmt: skip
    if bias is None or held.any():
        bias = bool(held.any())
    groups = options.get("groups", 1)
    if groups < 1 or len(weight) % groups:
        raise CorruptError(f"node {name!r}: {groups} groups of {len(weight)} outputs")
    sizes = (weight.shape[1] * groups, weight.shape[0], *([weight.shape[2:]] if axes == 4 else []))
    layer = kind(*sizes, bias=bias, device="meta", **options)
    layer.weight = nn.Parameter(torch.tensor(weight.astype(np.float32)))
    if bias:
        layer.bias = nn.Parameter(torch.tensor(held.astype(np.float32)).expand(len(weight)).clone())
    return layer


def _pair(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if isinstance(value, tuple) else (int(value), int(value))


def _sizes(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    sizes = np.atleast_1d(np.asarray(value))
    if sizes.dtype.kind not in "iu" or sizes.shape not in ((1,), (2,)):
        raise CorruptError(f"node {name!r}: sizes that are no pair of whole numbers", got=value)
    if sizes.min() < least or sizes.max() > _LARGEST:
        raise CorruptError(f"node {name!r}: sizes from {least} to {_LARGEST}", got=value)
    return int(sizes[0]), int(sizes[-1])


def _array(tensor: torch.Tensor) -> Any:
    wide = tensor.detach().cpu()
    wide = wide.float() if wide.dtype in (torch.float16, torch.bfloat16) else wide
    return np.array(wide.numpy())
