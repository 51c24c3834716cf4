"""Files and uploads: their rules, and where they lie."""
