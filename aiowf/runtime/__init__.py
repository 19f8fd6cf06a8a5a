"""What runs inside a pod: `python -m aiowf.runtime notify`, or `send-results`."""
