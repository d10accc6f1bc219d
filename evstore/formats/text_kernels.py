"""Lines of a text table to columns: integers only.

Every line ends in LF (the caller appends one to a last line without); since no field holds LF,
no loop runs past the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.formats.decimal_kernels import (
    BAD_NUMBER,
    LOWER_E,
    MINUS,
    OK,
    POINT,
    TOO_LARGE,
    UPPER_E,
    ZERO,
    exact_decimal,
)
from evstore.formats.text_short_kernels import PLACES, parse_seconds, parse_whole
from evstore.jit import kernel

TAB, LF, CR, SPACE, QUOTE, HASH = 9, 10, 13, 32, 34, 35
LOWER_CASE = 32  # the bit that makes a letter lower case
TRUE, FALSE = np.frombuffer(b"true", np.uint8), np.frombuffer(b"false", np.uint8)

ROLE_SKIP, ROLE_T, ROLE_X, ROLE_Y, ROLE_P = 0, 1, 2, 3, 4

# What else can be wrong with a line.
FEW_COLUMNS, MANY_COLUMNS, NOT_WHOLE, BAD_POLARITY, QUOTED, LONG_LINE = 3, 4, 5, 6, 7, 8
TIME_NOT_WHOLE = 9

# What `parse_lines` counts and reports, by index.
FILLED, CONSUMED, LINES, BLANK, COMMENTS = 0, 1, 2, 3, 4
ERROR, ERROR_COLUMN, ERROR_AT, STATE_SIZE = 5, 6, 7, 8

PLAIN_DIGITS = 18  # of a time in a plain line: as many always fit int64
PLAIN_ROOM = 24  # bytes a field of a plain line may look at without a check, and some
COORDINATE_MAX = 65_535


@kernel
def parse_time(data: Any, start: Any, scale: Any, whole_only: bool) -> Any:
    """The time at ``start`` in units of 10**-scale s: (value, its end, what is wrong)."""
    value, at, _, wrong = exact_decimal(data, start, scale)
    if wrong == OK and whole_only:
        for i in range(start, at):
            if data[i] == POINT or data[i] == LOWER_E or data[i] == UPPER_E:
                return value, i, TIME_NOT_WHOLE
    return value, at, wrong


@kernel
def parse_coordinate(data: Any, start: Any) -> Any:
    """The whole number at ``start``: (value, its end, what is wrong)."""
    value, at, whole, wrong = exact_decimal(data, start, 0)
    if wrong != OK:
        return value, at, wrong
    if not whole:
        return value, at, NOT_WHOLE
    return value, at, OK if 0 <= value <= COORDINATE_MAX else TOO_LARGE


@kernel
def parse_word(data: Any, start: Any, word: Any) -> Any:
    """The end of ``word`` at ``start`` in any case, else where they part: (end, equal?)."""
    for i in range(word.size):
        if data[start + i] | LOWER_CASE != word[i]:
            return start + i, False
    return start + word.size, True


@kernel
def parse_polarity(data: Any, start: Any) -> Any:
    """0, 1, -1, true or false at ``start``: (1 for ON, its end, what is wrong)."""
    c = data[start]
    if c | LOWER_CASE == TRUE[0]:
        end, equal = parse_word(data, start, TRUE)
        return np.int64(1), end, OK if equal else BAD_POLARITY
    if c | LOWER_CASE == FALSE[0]:
        end, equal = parse_word(data, start, FALSE)
        return np.int64(0), end, OK if equal else BAD_POLARITY
    value, end, whole, wrong = exact_decimal(data, start, 0)
    if wrong == BAD_NUMBER:
        return np.int64(0), end, BAD_NUMBER
    if wrong != OK or not whole or value < -1 or value > 1:
        return np.int64(0), end, BAD_POLARITY
    return np.int64(1) if value == 1 else np.int64(0), end, OK


@kernel
def skip_blanks(data: Any, at: Any, tab: Any) -> Any:
    """The first byte that is neither space nor ``tab`` (a space again, where tabs part fields)."""
    while data[at] == SPACE or data[at] == tab:
        at += 1
    return at


@kernel
def line_end(data: Any, at: Any) -> Any:
    """Whether a line ends at ``at``: LF, or CR and LF."""
    return data[at] == LF or (data[at] == CR and data[at + 1] == LF)


@kernel
def skip_field(data: Any, at: Any, delimiter: Any, tab: Any) -> Any:
    """The end of a field that is not kept: (end, what is wrong)."""
    while not line_end(data, at) and data[at] != delimiter and data[at] != tab:
        if data[at] == QUOTE:
            return at, QUOTED
        if data[at] < SPACE and data[at] != TAB:
            return at, BAD_NUMBER
        at += 1
    return at, OK


@kernel
def parse_field(
    data: Any, start: Any, role: Any, scale: Any, whole_only: bool, delimiter: Any, tab: Any
) -> Any:
    """One field: (value, its end, what is wrong)."""
    if role == ROLE_T:
        value, at, wrong = parse_time(data, start, scale, whole_only)
    elif role == ROLE_P:
        value, at, wrong = parse_polarity(data, start)
    elif role == ROLE_SKIP:
        value = np.int64(0)
        at, wrong = skip_field(data, start, delimiter, tab if delimiter == SPACE else delimiter)
    else:
        value, at, wrong = parse_coordinate(data, start)
    if wrong != OK and data[start] == QUOTE:
        wrong = QUOTED
    return value, at, wrong


@kernel
def pass_delimiter(data: Any, end: Any, delimiter: Any, tab: Any, last: bool) -> Any:
    """From a field's end to the next field, or to the line's end: (where, what is wrong)."""
    at = skip_blanks(data, end, tab)
    ends = line_end(data, at)
    if last:
        if ends:
            return at, OK
        many = data[at] == delimiter or (delimiter == SPACE and at > end)
        return at, MANY_COLUMNS if many else BAD_NUMBER
    if ends:
        return at, FEW_COLUMNS
    if delimiter == SPACE:
        return at, OK if at > end else BAD_NUMBER
    if data[at] != delimiter:
        return at, BAD_NUMBER
    return skip_blanks(data, at + 1, tab), OK


@kernel
def skip_line(data: Any, at: Any) -> Any:
    """The LF that ends the line."""
    while data[at] != LF:
        at += 1
    return at


@kernel
def parse_line(
    data: Any,
    line: Any,
    roles: Any,
    delimiter: Any,
    scale: Any,
    whole_only: bool,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    state: Any,
) -> Any:
    """One line of any shape into the arrays at ``state[FILLED]``: (its LF, what is wrong)."""
    tab = np.int64(SPACE) if delimiter == TAB else np.int64(TAB)
    at, wrong, n = skip_blanks(data, line, TAB), OK, state[FILLED]
    if line_end(data, at) or data[at] == HASH:
        state[COMMENTS if data[at] == HASH else BLANK] += 1
        return skip_line(data, at), wrong
    at = skip_blanks(data, line, tab)
    for column in range(roles.size):
        role = roles[column]
        state[ERROR_COLUMN] = column
        value, at, wrong = parse_field(data, at, role, scale, whole_only, delimiter, tab)
        if wrong != OK:
            return at, wrong
        if role == ROLE_T:
            t[n] = value
        elif role == ROLE_X:
            x[n] = value
        elif role == ROLE_Y:
            y[n] = value
        elif role == ROLE_P:
            p[n] = value
        at, wrong = pass_delimiter(data, at, delimiter, tab, column + 1 == roles.size)
        if wrong != OK:
            return at, wrong
    state[FILLED] += 1
    return skip_line(data, at), wrong


@kernel
def coordinate_digits(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The number that up to five digits make: (value, digits); no branch, so none mispredicted."""
    two = np.int64((b >= 0) & (b <= 9))
    three = two & np.int64((c >= 0) & (c <= 9))
    four = three & np.int64((d >= 0) & (d <= 9))
    five = four & np.int64((e >= 0) & (e <= 9))
    value = a + two * (9 * a + b)
    value += three * (9 * value + c)
    value += four * (9 * value + d)
    value += five * (9 * value + e)
    return value, 1 + two + three + four + five if (a >= 0) & (a <= 9) else np.int64(0)


@kernel
def parse_plain(
    data: Any,
    line: Any,
    roles: Any,
    delimiter: Any,
    scale: Any,
    whole_only: bool,
    limit: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    state: Any,
) -> Any:
    """Lines of the shape that nearly all have; returns where the first other one begins.

    Five times as fast as `parse_line`, which gets every line that is not plain, and would give
    the same values. One function, because numba counts references wherever an array is passed.
    """
    n, size = state[FILLED], data.size
    last = roles.size - 1
    while n < t.size:
        at, plain = line, scale >= 0
        for column in range(roles.size):
            if not plain or at + PLAIN_ROOM > size:
                plain = False
                break
            role = roles[column]
            first = np.int64(data[np.uint64(at)]) - ZERO
            if role == ROLE_T:
                value, start, places = np.int64(0), at, 0
                while 0 <= first <= 9 and at - start < PLAIN_DIGITS - scale:
                    value = value * 10 + first
                    at += 1
                    first = np.int64(data[np.uint64(at)]) - ZERO
                plain = at > start
                if first == POINT - ZERO and scale > 0 and not whole_only:
                    at += 1
                    first = np.int64(data[np.uint64(at)]) - ZERO
                    while 0 <= first <= 9 and places < scale:
                        value = value * 10 + first
                        places += 1
                        at += 1
                        first = np.int64(data[np.uint64(at)]) - ZERO
                    half, sticky = first, np.int64(0)
                    while 0 <= first <= 9:
                        at += 1
                        first = np.int64(data[np.uint64(at)]) - ZERO
                        sticky |= np.int64(first > 0) & np.int64(first <= 9)
                    value += np.int64(half <= 9) & (
                        np.int64(half > 5) | (np.int64(half == 5) & (sticky | value))
                    )
                while places < scale:
                    value *= 10
                    places += 1
                t[n] = value
            elif role == ROLE_P:
                minus = np.int64(first == MINUS - ZERO)
                value = np.int64(data[np.uint64(at + minus)]) - ZERO
                plain = minus <= value <= 1  # 0, 1 or -1; -0 is for `parse_line`
                p[n] = (value ^ minus) & 1
                at += 1 + minus
            elif role == ROLE_SKIP:
                plain = False
            else:
                value, digits = coordinate_digits(
                    first,
                    np.int64(data[np.uint64(at + 1)]) - ZERO,
                    np.int64(data[np.uint64(at + 2)]) - ZERO,
                    np.int64(data[np.uint64(at + 3)]) - ZERO,
                    np.int64(data[np.uint64(at + 4)]) - ZERO,
                )
                plain = digits > 0 and value <= COORDINATE_MAX
                if role == ROLE_X:
                    x[n] = value & COORDINATE_MAX
                else:
                    y[n] = value & COORDINATE_MAX
                at += digits
            after = data[np.uint64(at)]
            at += 1
            if column == last and after == CR:
                after = data[np.uint64(at)]
                at += 1
            plain &= after == (delimiter if column < last else LF)
        if not plain or at - 1 - line > limit:
            break
        n += 1
        line = at
    state[LINES] += n - state[FILLED]
    state[FILLED] = n
    return line


@kernel
def in_order(roles: Any) -> Any:
    """Whether the columns are t, x, y and p, and no others."""
    if roles.size != 4:
        return False
    return roles[0] == ROLE_T and roles[1] == ROLE_X and roles[2] == ROLE_Y and roles[3] == ROLE_P


@kernel
def parse_lines(
    data: Any,
    roles: Any,
    delimiter: Any,
    scale: Any,
    whole_only: bool,
    limit: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    state: Any,
) -> None:
    """Events of whole lines behind ``state[FILLED]`` until the arrays are full or ``data`` ends.

    ``data`` ends in LF. ``delimiter`` SPACE means a run of spaces and tabs. ``state`` says what
    was consumed and counted, and which error stopped it; a line with an error is not consumed.
    """
    size, line = data.size, np.int64(0)
    if size == 0 or data[size - 1] != LF:
        return
    first = state[FILLED]
    if in_order(roles) and scale == PLACES and not whole_only:
        line, state[FILLED] = parse_seconds(data, line, delimiter, limit, t, x, y, p, first)
    elif in_order(roles) and scale == 0:
        line, state[FILLED] = parse_whole(data, line, delimiter, limit, t, x, y, p, first)
    state[LINES] += state[FILLED] - first
    while True:
        line = parse_plain(
            data, line, roles, delimiter, scale, whole_only, limit, t, x, y, p, state
        )
        if line >= size or state[FILLED] >= t.size:
            break
        filled = state[FILLED]
        at, wrong = parse_line(data, line, roles, delimiter, scale, whole_only, t, x, y, p, state)
        if wrong == OK and at - line > limit:
            state[FILLED], wrong = filled, LONG_LINE
        if wrong != OK:
            state[ERROR], state[ERROR_AT] = wrong, at
            break
        state[LINES] += 1
        line = at + 1
    state[CONSUMED] = line
