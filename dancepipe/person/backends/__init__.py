"""Who finds people and masks: one file a backend, all held by one contract."""
