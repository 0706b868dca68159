"""What runs before and after a document is written: validation and the system databases."""
