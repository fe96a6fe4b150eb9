"""What should have been seen: Linux's TCP timers as pure functions. Imports no socket, no pyroute2, no clock."""
