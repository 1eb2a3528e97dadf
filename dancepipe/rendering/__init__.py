"""Reference photo + driver video -> video of the person in the photo, dancing."""
