"""Many videos by one command: a list of jobs, a ledger in files, workers."""
