"""JSON merge patches (RFC 7396). Pure."""

from __future__ import annotations

from collections.abc import Mapping


def merge_patch(target: object, patch: object) -> object:
    """Return ``target`` with ``patch`` applied: tables are merged, null removes a key, all else replaces.

    Neither is changed. The depth is bounded by that of the patch, which the reader of requests limits.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
