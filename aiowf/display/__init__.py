"""What people see of workflows: in a terminal now, in notebooks and pages likewise."""
