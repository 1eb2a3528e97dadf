"""Files: a result is whole or absent, one writer at a time, and nothing read is trusted."""
