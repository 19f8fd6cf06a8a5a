"""The reply channel: records that pods send, brought to whoever waits for them."""

from aiowf.replies.channel import Channel
from aiowf.replies.files import Files

__all__ = ["Channel", "Files"]
