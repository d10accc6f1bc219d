"""The one place where errors become exit codes and a line on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from evstore.errors import EvstoreError
from evstore.interrupts import lost_interrupts_come_again

DONE, FAILED, USAGE, PARTIAL, UNVERIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 130

#: Codes of errors by the name of their class or of one above it; all others are FAILED.
CODES = {"ArgumentError": USAGE, "UsageError": USAGE, "VerificationError": UNVERIFIED}


class CommandError(Exception):
    """An error whose message and exit code are settled."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: BaseException) -> int:
    """The exit code of an error."""
    names = (cls.__name__ for cls in type(error).__mro__)
    return next((CODES[name] for name in names if name in CODES), FAILED)


def message_of(error: BaseException) -> str:
    """What to say of an error: one line, with the file and what to do where they are known."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{click.format_filename(error.filename)}: " if error.filename is not None else ""
        return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, (EvstoreError, OSError)):
        return " ".join([str(error), *getattr(error, "__notes__", [])])
    return (
        f"{type(error).__name__}: {error}. This is a fault of evstore; "
        "EVSTORE_TRACEBACK=1 shows where it is"
    )


def say(message: str) -> None:
    """Print an error's line on stderr."""
    line = " ".join(message.split())
    click.echo(f"evstore: error: {line}", err=True)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn whatever a verb raises into a CommandError, or an exit where there is nothing to say."""
    try:
        yield
    except (CommandError, click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        # Who reads our output has enough of it, as `head` has.
        _discard_stdout()
        raise click.exceptions.Exit(DONE) from None
    except KeyboardInterrupt:
        raise CommandError("interrupted", INTERRUPTED) from None
    except Exception as error:
        if os.environ.get("EVSTORE_TRACEBACK", "0") not in ("", "0"):
            import traceback

            traceback.print_exc()
        _discard_unwritable()
        raise CommandError(message_of(error), code_of(error)) from None


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Print the line of a failure and exit with its code."""
    before = sys.unraisablehook
    lost_interrupts_come_again()
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE)
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx is not None else "evstore"
        message = error.format_message()
        say(f"{message}{'' if message.endswith(('.', '?')) else '.'} See {verb} --help")
        sys.exit(USAGE)
    except click.ClickException as error:
        say(error.format_message())
        sys.exit(error.exit_code)
    except CommandError as error:
        say(str(error))
        sys.exit(error.code)
    except click.Abort:
        say("interrupted")
        sys.exit(INTERRUPTED)
    finally:
        sys.unraisablehook = before


def _discard_unwritable() -> None:
    """Drop buffered output that cannot be written (a full disk), or Python fails again at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_stdout()


def _discard_stdout() -> None:
    """Send what is still buffered nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
