"""``hoody up``, ``hoody down`` and ``hoody daemon run``."""
