"""Where tasks run: images, service account, secrets, and what every pod is given."""

from aiowf.profile.images import ImageCatalogue
from aiowf.profile.profile import Profile

__all__ = ["ImageCatalogue", "Profile"]
