"""What aiowf promises in numbers: `python -m benchmarks` measures each beside its floor or peer."""
