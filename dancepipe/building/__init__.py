"""urls.txt -> person-split, pose-labelled Parquet data set."""
