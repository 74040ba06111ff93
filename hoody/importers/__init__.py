"""Files of other process managers: text in; definitions, and what could not be carried over, out."""

from __future__ import annotations

from hoody.importers.draft import Imported as Imported
from hoody.importers.draft import Unmapped as Unmapped
from hoody.importers.formats import FORMATS as FORMATS
from hoody.importers.formats import import_text as import_text

__all__ = ["FORMATS", "Imported", "Unmapped", "import_text"]
