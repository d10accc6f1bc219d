"""Every error evstore raises on purpose.

EvstoreError
├── FormatError            the bytes are not what they claim to be
│   ├── UnsupportedError   valid, but newer or of a kind evstore does not read
│   ├── CorruptError       a checksum or an impossible value
│   └── TruncatedError     ends early; how much of it is safe
├── ArgumentError          a value the caller gave (also a ValueError)
└── MissingDependencyError an extra that is not installed (also an ImportError)
"""

from __future__ import annotations

import os


class EvstoreError(Exception):
    """Base of every error that evstore raises on purpose."""


class FormatError(EvstoreError):
    """The bytes are not what they claim to be.

    The message says what, where, what was expected, what was found and what to do;
    the same facts are attributes, for programs.
    """

    def __init__(
        self,
        what: str,
        *,
        path: str | os.PathLike[str] | None = None,
        offset: int | None = None,
        field: str | None = None,
        expected: object = None,
        got: object = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.path = os.fspath(path) if path is not None else None
        self.offset = offset
        self.field = field
        self.expected = expected
        self.got = got
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        message = self.what if self.path is None else f"{self.path}: {self.what}"
        if self.offset is not None:
            message += f" at byte {self.offset}"
        if self.field is not None:
            message += f", field {self.field!r}"
        if self.expected is not None:
            message += f", expected {self.expected}"
        if self.got is not None:
            message += f", got {self.got}"
        if self.hint is not None:
            message += f". {self.hint[0].upper()}{self.hint[1:]}"
        return message

    def at(self, path: str | os.PathLike[str]) -> FormatError:
        """Name the file, where the code that raised did not know it; returns the error."""
        if self.path is None:
            self.path = os.fspath(path)
        return self


class UnsupportedError(FormatError):
    """Valid, but newer or of a kind evstore does not read or write: the message says which."""


class CorruptError(FormatError):
    """A checksum that does not fit, or a value that cannot be."""


class TruncatedError(FormatError):
    """The file ends early. ``safe_events`` says how many events before the end are whole."""

    def __init__(
        self,
        what: str,
        *,
        safe_events: int | None = None,
        path: str | os.PathLike[str] | None = None,
        offset: int | None = None,
        field: str | None = None,
        expected: object = None,
        got: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(
            what, path=path, offset=offset, field=field, expected=expected, got=got, hint=hint
        )
        self.safe_events = safe_events

    def __str__(self) -> str:
        message = super().__str__()
        if self.safe_events is not None:
            message += f". {self.safe_events:,} events are safe: `evstore recover` gives them back"
        return message


class ArgumentError(EvstoreError, ValueError):
    """A value the caller gave that cannot be used; the message has the valid range."""


class MissingDependencyError(EvstoreError, ImportError):
    """An optional package is not installed; the message has the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'evstore[{extra}]'"
        )
