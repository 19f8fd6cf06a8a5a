"""Runs pods as processes of this machine."""

from aiowf.engine.executor.process import ProcessExecutor

__all__ = ["ProcessExecutor"]
