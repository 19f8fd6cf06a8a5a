"""The paths by which errors say where something stands in a workflow."""


def path_of(where: str, name: str) -> str:
    """Return the path of a field, or of an item "[0]…", of what is at a path.

    Paths begin inside the workflow's `spec`: what is in it has no prefix. Either may be "".
    """
    if where in ("", "spec"):
        return name
    if not name or name.startswith("["):
        return where + name
    return f"{where}.{name}"
