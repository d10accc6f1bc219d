"""A layer's weights: how they are spread, and what 8 bits leave of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

BINS = 32
LEVELS = 127  # of a signed byte, as the chip has them


def described(weights: torch.Tensor) -> dict[str, Any]:
    """Spread of ``weights`` and what rounding them to 8 bits does, as plain numbers.

    ``min``, ``max``, ``mean``, ``std``, ``zeros`` (share that is exactly 0) and ``histogram``
    (``low``, ``high``, 32 equal ``counts``); ``quantised``: see `quantised`. Where some are NaN or
    infinite, nothing but ``not_finite``, their number.

    >>> described(torch.tensor([0.0, 0.5, -1.0, 1.0]))["zeros"]
    0.25
    """
    values = weights.detach().float().cpu().numpy().reshape(-1)
    broken = values.size - int(np.count_nonzero(np.isfinite(values)))
    if broken or not values.size:
        return {"not_finite": broken}
    low, high = float(values.min()), float(values.max())
    counts, _ = np.histogram(values.astype(np.float64), BINS, (low, high))
    return {
        "min": low,
        "max": high,
        "mean": float(values.mean(dtype=np.float64)),
        "std": float(values.std(dtype=np.float64)),
        "zeros": 1 - int(np.count_nonzero(values)) / values.size,
        "histogram": {"low": low, "high": high, "counts": counts.tolist()},
        "quantised": quantised(values),
    }


def quantised(values: Any) -> dict[str, float]:
    """What is lost where the largest |weight| becomes 127 and all are rounded.

    ``relative_error``: root of the mean squared error over that of the weights. ``zeros``: the
    share that is 0 afterwards, those that were before among them. A chip that has one scale for
    weights and thresholds may do worse (see evstore.snn's notes on ``min_v_mem``), never better.

    >>> quantised(np.array([1.0, 0.001]))["zeros"]
    0.5
    """
    largest = float(np.abs(values).max())
    if largest == 0:
        return {"relative_error": 0.0, "zeros": 1.0}
    scale = LEVELS / largest
    with np.errstate(over="ignore"):
        steps = np.rint(values * scale)
    error = np.linalg.norm(values - steps / scale) / np.linalg.norm(values)
    return {
        "relative_error": float(error),
        "zeros": 1 - int(np.count_nonzero(steps)) / values.size,
    }


def gradient_norms(layers: dict[str, Any]) -> dict[str, float | None]:
    """Euclidean norm of the gradient of each layer's ``weight``; None where there is none."""
    return {
        name: None
        if (gradient := getattr(layer.weight, "grad", None)) is None
        else float(torch.linalg.vector_norm(gradient.detach().float()))
        for name, layer in layers.items()
    }


def total_gradient_norm(model: torch.nn.Module) -> float | None:
    """Euclidean norm over all parameters; None before the first `backward`."""
    found = [p.grad.detach().float() for p in model.parameters() if p.grad is not None]
    if not found:
        return None
    norms = [torch.linalg.vector_norm(gradient) for gradient in found]
    return float(torch.linalg.vector_norm(torch.stack([n.to(norms[0].device) for n in norms])))
