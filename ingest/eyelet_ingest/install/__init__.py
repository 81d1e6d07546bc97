"""Recording switched on and off in the agents' own settings: one file an agent, and what all of them share."""
