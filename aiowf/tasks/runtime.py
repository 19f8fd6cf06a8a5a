"""The image of `aiowf.runtime`: what sends notices and results from within a workflow."""

from aiowf.errors import ConfigurationError
from aiowf.profile import Profile

RUNTIME_COMMAND = ("python", "-m", "aiowf.runtime")


def runtime_image(profile: Profile, known: str | None, what_for: str) -> str:
    """Return the image of the runtime: of the profile, else the one that a client knows.

    Raises:
        ConfigurationError: There is none; none is published.
    """
    image = profile.runtime_image or known
    if image:
        return image
    raise ConfigurationError(
        f"{what_for} needs an image with aiowf in it, and the profile names none",
        hint="build one, docker build -t <registry>/aiowf-runtime -f docker/runtime/Dockerfile . , "
        'push it, and say Profile(runtime_image="<registry>/aiowf-runtime")',
    )
