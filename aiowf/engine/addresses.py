"""Where an engine for tests is told what to do, and where it notes what it was told."""

REHEARSAL = "/aiowf/v1/rehearsal"
SUBMISSIONS = "submissions"
