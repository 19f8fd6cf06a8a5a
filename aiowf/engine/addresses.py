"""Places that parts of the engine, and its client, have to agree on; nothing else."""

# Where an engine for tests is told what to do, and where it notes what it was told.
REHEARSAL = "/aiowf/v1/rehearsal"
SUBMISSIONS = "submissions"
# Written by an engine that has run a container: how to remove what is left of them.
CONTAINERS = "containers.json"
