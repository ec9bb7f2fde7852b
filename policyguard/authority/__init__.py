"""What people decide, signed: approvals of calls, and overrides of rules."""
