"""What each event is: of the signal, or which noise."""

from __future__ import annotations

SIGNAL = 0
HOT_PIXEL = 1
BACKGROUND = 2
LEAK = 3
FLICKER = 4
RECORDED = 5

#: The numbers of labels, by name.
LABELS = {
    "signal": SIGNAL,
    "hot_pixel": HOT_PIXEL,
    "background": BACKGROUND,
    "leak": LEAK,
    "flicker": FLICKER,
    "recorded": RECORDED,
}
