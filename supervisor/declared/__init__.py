"""Declared state: a document that says which units there are to be, and the way from what is to what it says."""

from __future__ import annotations

from supervisor.declared.document import Declaration as Declaration
from supervisor.declared.document import declaration_document as declaration_document
from supervisor.declared.document import read_declaration as read_declaration
from supervisor.declared.groups import GroupPlan as GroupPlan
from supervisor.declared.groups import plan_groups as plan_groups
from supervisor.declared.plan import Action as Action
from supervisor.declared.plan import Change as Change
from supervisor.declared.plan import KeyChange as KeyChange
from supervisor.declared.plan import Plan as Plan
from supervisor.declared.plan import make_plan as make_plan

__all__ = [
    "Action",
    "Change",
    "Declaration",
    "GroupPlan",
    "KeyChange",
    "Plan",
    "declaration_document",
    "make_plan",
    "plan_groups",
    "read_declaration",
]
