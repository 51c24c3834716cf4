"""The search: trials that share what they can, finalists over seeds, a winner."""
