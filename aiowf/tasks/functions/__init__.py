"""A Python function and its arguments as a self-contained script, and its value back again."""

from aiowf.tasks.functions.binding import BoundCall, bind, input_name, kept
from aiowf.tasks.functions.pod.embedding import reply_client
from aiowf.tasks.functions.requirements import is_requirement, undeclared_imports
from aiowf.tasks.functions.script import Input, ShippedFunction, call_parameter
from aiowf.tasks.functions.shipping import ship
from aiowf.tasks.functions.values import decode_value, encode_value

__all__ = [
    "BoundCall",
    "Input",
    "ShippedFunction",
    "bind",
    "call_parameter",
    "decode_value",
    "encode_value",
    "input_name",
    "is_requirement",
    "kept",
    "reply_client",
    "ship",
    "undeclared_imports",
]
