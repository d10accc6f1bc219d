"""Which kernel fetches events from where, judges for which filter, and moves what is kept."""

from __future__ import annotations

from evstore.jit import by_type
from evstore.noise.filters import (
    decimation_kernels,
    fetching_kernels,
    mask_kernels,
    moving_kernels,
    neighbour_kernels,
    rate_kernels,
    refractory_kernels,
)

#: ``fetch(piece, first, stop)``: columns of those events, and why they cannot be judged, or 0.
fetch = by_type(
    {
        fetching_kernels.Piece: fetching_kernels.from_columns,
        fetching_kernels.Apart: fetching_kernels.from_records,
    }
)

#: ``judge(rule, t, x, y, p, keep)``: set what is kept, 0 or 1, of events that follow each other.
judge = by_type(
    {
        decimation_kernels.OfPixels: decimation_kernels.each_of_pixels,
        decimation_kernels.OfStream: decimation_kernels.each_of_stream,
        mask_kernels.Good: mask_kernels.not_masked,
        neighbour_kernels.AnyOfFour: neighbour_kernels.any_of_four,
        neighbour_kernels.AnyOfEight: neighbour_kernels.any_of_eight,
        neighbour_kernels.SeveralOfFour: neighbour_kernels.several_of_four,
        neighbour_kernels.SeveralOfEight: neighbour_kernels.several_of_eight,
        rate_kernels.BriefLevels: rate_kernels.below_brief_rate,
        rate_kernels.Bucket: rate_kernels.from_bucket,
        rate_kernels.Levels: rate_kernels.below_rate,
        refractory_kernels.SinceAny: refractory_kernels.since_any,
        refractory_kernels.SinceKept: refractory_kernels.since_kept,
    }
)

#: ``move(target, keep, first, count)``: those that are kept of the events from ``first`` on, behind
#: ``count`` that are there already; gives how many they are.
move = by_type(
    {
        moving_kernels.ToColumns: moving_kernels.to_columns,
        moving_kernels.ToLabelled: moving_kernels.to_labelled,
        moving_kernels.ToRecords: moving_kernels.to_records,
    }
)
