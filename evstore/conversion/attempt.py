"""convert_one, with an error as a receipt."""

from __future__ import annotations

import os

from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.one import convert_one
from evstore.conversion.teller import Progress
from evstore.errors import EvstoreError
from evstore.recording.stream import is_pipe


def attempt(job: Job, options: Options, progress: Progress | None = None) -> Receipt:
    """Convert one file; what goes wrong is in the receipt, and so is a part that was kept."""
    try:
        return convert_one(job, options, progress)
    except (EvstoreError, OSError) as error:
        text, part = _say(error, job), f"{job.target}.part"
        receipt = Receipt(job.source, job.target, "failed", error_kind=type(error).__name__)
        if is_pipe(job.source) and os.path.exists(part):
            receipt.kept_part = part
            text += f". What was read is kept in {part}"
        receipt.error = text
        return receipt


def _say(error: Exception, job: Job) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or job.source}: {error.strerror}"
    text = str(error)
    return text if job.source in text or job.target in text else f"{job.source}: {text}"
