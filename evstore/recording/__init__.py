"""One recording: open, create, save, with shards and foreign files behind one interface."""

from evstore.recording.base import Recording
from evstore.recording.opening import open, open_all
from evstore.recording.saving import Output, create, save

__all__ = ["Output", "Recording", "create", "open", "open_all", "save"]
