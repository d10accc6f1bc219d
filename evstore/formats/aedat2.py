"""AEDAT 1.0 and 2.0 of jAER: an address and a time, big-endian, for each event.

https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-2.0.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, CorruptError, FormatError, UnsupportedError
from evstore.formats import aedat2_side, aedat_header
from evstore.formats.aedat_header import DAVIS, DVS128, Header, Sensor
from evstore.formats.decoding import TriggerBuffer, batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records
from evstore.formats.sides import Sides

NAME = "aedat2"
TITLE = "AEDAT 1.0 and 2.0 (jAER)"
SUFFIXES = (".aedat", ".aedat2")
VERSION_1 = "aedat1"
INPUT_FORMATS = (NAME, VERSION_1)
WRITES = False
SEEKS = False
KEEPS = ("triggers", "imu", "images")
CHECKED = ("files", "eventcv")
ASKS = ("--sensor", "--resolution")

RECORD_BYTES = 8
RECORD_BYTES_1 = 6
TIME_BITS = 32

#: From so many events on, one polarity alone is worth a note: both are there in any real scene.
MANY_EVENTS = 1000

#: What says which sensor it was, by the header's key, in order of trust.
_NAMED_BY = {"aechip": "AEChip", "hardwareinterface": "HardwareInterface"}

#: Parts of names of chips that do not see: their addresses are channels.
_EARS = ("cochlea", "das1")

_DROPPED = ("special_events", "addresses_above_16_bits")


def probe(head: bytes, size: int | None) -> bool:
    """Whether the first line names version 1.0 or 2.0."""
    return aedat_header.version(head) in ("1.0", "2.0")


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily; ``input_format`` is `aedat2` or, where there is no header that
    says so, `aedat1`.

    Raises UnsupportedError for other versions and for sensors that are unknown or no camera;
    FormatError where there is no header. Where the header names no sensor, DVS128 is inferred,
    and an address that is none of it raises CorruptError.
    """
    header = aedat_header.read(stream)
    version = _version(header, input_format)
    named, name, said_by = _sensor(header, options, version)
    inferred = said_by == "inferred"
    if inferred and version != "1.0":
        _check_addresses(stream, header)
    record_bytes, dtype = (RECORD_BYTES, "<u4") if version == "2.0" else (RECORD_BYTES_1, "u1")
    records = Records(stream, dtype, record_bytes, header.rest, offset=len(header.raw))
    decoder = _Decoder(records, version, inferred)
    if named.layout == DAVIS:
        size = aedat2_side.image_size(named, name, options.resolution)
        decoder.sample(aedat2_side.Samples(size, aedat2_side.scale(header)))
    dropped: dict[str, int] = {}
    metadata = aedat_header.metadata(header)
    metadata.update(sensor=name, sensor_from=said_by, origin="bottom-left", mirror_x=True)
    found = batches(records, decoder, options.batch_events, dropped, decoder.take_side)
    return Reading(
        NAME,
        named.size,
        _noted(found, decoder, metadata, dropped),
        metadata=metadata,
        header=header.raw,
        dropped=dropped,
    )


def _version(header: Header, input_format: str) -> str:
    version = header.version
    if version is None and input_format == VERSION_1:
        return "1.0"
    if version is None:
        raise FormatError(
            "no AEDAT header",
            offset=0,
            expected="#!AER-DAT2.0",
            got=(header.raw + header.rest)[:16],
            hint=f"if the file is a headerless one of version 1.0, say --input-format {VERSION_1}",
        )
    if version != "1.0" and (version != "2.0" or input_format == VERSION_1):
        wanted = "1.0" if input_format == VERSION_1 else "1.0 or 2.0"
        raise UnsupportedError(f"the file is AEDAT {version}", expected=wanted, got=version)
    return version


def _sensor(header: Header, options: ReadOptions, version: str) -> tuple[Sensor, str, str]:
    """The sensor, its name and what says so."""
    named, name, said_by = _named(header, options)
    if version == "1.0" and named.layout != DVS128:
        raise UnsupportedError(
            f"AEDAT 1.0 of {name}", expected=f"addresses of 16 bits ({DVS128})", got=named.layout
        )
    return named, name, said_by


def _named(header: Header, options: ReadOptions) -> tuple[Sensor, str, str]:
    if options.sensor is not None:
        known = aedat_header.sensor(options.sensor)
        if known is None:
            raise ArgumentError(
                f"the addresses of sensor {options.sensor!r} are not known; "
                "--sensor takes DVS128, DAVIS240, DAVIS346, DAVIS640, DAVIS208, DAVIS128 or DAVIS"
            )
        return known, options.sensor, "option"
    for key, spelling in _NAMED_BY.items():
        names = header.fields.get(key, [])
        if not names:
            continue
        if any(ear in name.lower() for name in names for ear in _EARS):
            raise UnsupportedError(f"{names[0]} is a cochlea, not a camera", field=spelling)
        found = {aedat_header.sensor(name) for name in names}
        if len(found) > 1:
            raise CorruptError("the header names several sensors", field=spelling, got=names)
        known = found.pop()
        if known is None:
            raise UnsupportedError(
                "the layout of this sensor's addresses is not known",
                field=spelling,
                expected="a DVS128 or a DAVIS",
                got=names[0],
                hint="if it is that of another sensor, name that with --sensor",
            )
        return known, aedat_header.short_name(names[0]), spelling
    return Sensor(DVS128, (128, 128)), DVS128, "inferred"


def _check_addresses(stream: BinaryIO, header: Header) -> None:
    """Look at every address before one is taken for that of a DVS128, where that can be done."""
    if not stream.seekable():
        return  # the decoder looks at each as it comes
    position = stream.tell()
    records = Records(stream, "<u4", RECORD_BYTES, header.rest, offset=len(header.raw))
    while (words := records.read()).size:
        # The upper half of a big-endian address, read as little-endian.
        wide = np.flatnonzero(words[::2] & np.uint32(0xFFFF))
        if wide.size:
            at = 2 * int(wide[0])
            raise _no_dvs128(records.offset + 4 * at, int(words[at]))
    stream.seek(position)


def _no_dvs128(offset: int, word: int) -> UnsupportedError:
    address = int.from_bytes(word.to_bytes(4, "little"), "big")
    return UnsupportedError(
        "the header names no sensor, and the addresses are not those of a DVS128",
        offset=offset,
        expected="below 0x10000",
        got=hex(address),
        hint="name it with --sensor (DAVIS240, DAVIS346 ...)",
    )


def _noted(
    found: Iterator[Batch], decoder: _Decoder, metadata: dict[str, Any], dropped: dict[str, int]
) -> Iterator[Batch]:
    """The batches. At the end the metadata tells where all of many events are of one polarity, and
    what the IMU's scale is; what waited for more words is dropped.
    """
    try:
        yield from found
    finally:
        events, on = decoder.seen()
        if events >= MANY_EVENTS and on in (0, events):
            metadata["constant_polarity"] = int(on > 0)
        samples = decoder.samples
        if samples is not None:
            dropped.update(samples.dropped(end=True))
            if samples.imu_rows:
                g, deg_s, said_by = samples.scale
                metadata.update(imu_full_scale_g=g, imu_full_scale_deg_s=deg_s)
                metadata["imu_scale_from"] = said_by


class _Decoder:
    def __init__(self, records: Records, version: str, inferred: bool) -> None:
        from evstore.formats import aedat2_kernels as kernels

        self._records = records
        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[kernels.LAST] = -1
        self._counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        self._triggers = TriggerBuffer()
        self.samples: aedat2_side.Samples | None = None
        self._decode: Any = kernels.decode_1
        self._more: tuple[Any, ...] = ()
        if version == "2.0":
            self._decode, self._more = kernels.decode_dvs128, (inferred,)

    def sample(self, samples: aedat2_side.Samples) -> None:
        """The layout is that of a DAVIS, and its samples go to ``samples``."""
        self.samples = samples
        self._decode = self._kernels.decode_davis
        self._more = (*self._triggers.columns, *samples.columns)

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        state, kernels = self._state, self._kernels
        while True:
            position, filled = self._decode(
                words, position, *into[:4], filled, state, self._counts, *self._more
            )
            if state[kernels.FAULT]:
                raise _no_dvs128(self._records.offset + 4 * position, int(words[position]))
            count = int(state[kernels.SAMPLES])
            if self.samples is None or count == 0:
                return position, filled
            state[kernels.SAMPLES] = 0
            self.samples.assemble(count)
            # Else it is the buffer of samples that was full, and nothing that a batch must end for.
            if count < aedat2_side.SAMPLE_LIMIT or self.samples.full:
                return position, filled

    def take_side(self) -> Sides | None:
        """Images and rows of the IMU since the last call, None where there were none."""
        return None if self.samples is None else self.samples.take()

    def take_triggers(self) -> Triggers | None:
        count = int(self._state[self._kernels.TRIGGERS])
        self._state[self._kernels.TRIGGERS] = 0
        return self._triggers.take(count)

    def dropped(self) -> dict[str, int]:
        found = {name: int(self._counts[k]) for k, name in enumerate(_DROPPED) if self._counts[k]}
        return found if self.samples is None else found | self.samples.dropped()

    def seen(self) -> tuple[int, int]:
        """Events so far, and how many of them are of polarity 1."""
        return int(self._state[self._kernels.EVENTS]), int(self._state[self._kernels.ON])
