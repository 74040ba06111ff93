"""What it takes to test units, and what is built on them, without a process and without a disk."""

from supervisor.units.testing.driver import BOOT_ID as BOOT_ID
from supervisor.units.testing.driver import FakeDriver as FakeDriver
from supervisor.units.testing.driver import FakeIncarnation as FakeIncarnation
from supervisor.units.testing.driver import FakeProcess as FakeProcess
from supervisor.units.testing.driver import Program as Program
from supervisor.units.testing.driver import Script as Script
from supervisor.units.testing.driver import fake_driver as fake_driver
from supervisor.units.testing.instruments import FakeInstruments as FakeInstruments
from supervisor.units.testing.store import MemoryStore as MemoryStore
from supervisor.units.testing.store import Shelf as Shelf
from supervisor.units.testing.store import memory_store as memory_store
from supervisor.units.testing.tree import Units as Units
from supervisor.units.testing.tree import running_units as running_units
