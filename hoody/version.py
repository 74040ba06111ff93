"""The version of the product, kept as a plain constant so that reading it imports nothing."""

__version__ = "0.1.0"
