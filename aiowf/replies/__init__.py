"""The reply channel: records that pods send, brought to whoever waits for them."""

from aiowf.replies.channel import Channel, Place
from aiowf.replies.files import Files
from aiowf.replies.settings import KafkaSettings

__all__ = ["Channel", "Files", "KafkaSettings", "Place"]
