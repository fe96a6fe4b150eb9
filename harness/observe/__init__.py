"""What was seen: signs, sockets, packets on the router, and one clock (CLOCK_MONOTONIC) for all of them."""
