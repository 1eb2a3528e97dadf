"""Parts of networks that several systems use."""
