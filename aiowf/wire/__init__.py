"""Protocols as pure functions: what client, engine and pods say to each other. No I/O."""
