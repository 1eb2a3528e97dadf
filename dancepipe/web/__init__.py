"""The page: photo and video dropped in, a queue of jobs on disk, the result beside its driver."""
