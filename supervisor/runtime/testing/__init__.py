"""What tests of actors and trees need: a virtual clock, a probe, scripted children, and faults at every single step.

Part of the product and kept stable like it. Nothing of the runtime imports it.
"""

from supervisor.runtime.testing.clock import run_with_clock as run_with_clock
from supervisor.runtime.testing.clock import running as running
from supervisor.runtime.testing.everywhere import Scenario as Scenario
from supervisor.runtime.testing.everywhere import StepLimit as StepLimit
from supervisor.runtime.testing.everywhere import cancel_at_every_step as cancel_at_every_step
from supervisor.runtime.testing.everywhere import crash_at_every_point as crash_at_every_point
from supervisor.runtime.testing.faults import Faults as Faults
from supervisor.runtime.testing.faults import InjectedFault as InjectedFault
from supervisor.runtime.testing.probe import EventLog as EventLog
from supervisor.runtime.testing.probe import Probe as Probe
from supervisor.runtime.testing.replies import ReplyBox as ReplyBox
from supervisor.runtime.testing.scripted import Behaviour as Behaviour
from supervisor.runtime.testing.scripted import Ending as Ending
from supervisor.runtime.testing.scripted import Opening as Opening
from supervisor.runtime.testing.scripted import Scripted as Scripted
from supervisor.runtime.testing.scripted import Stopping as Stopping
