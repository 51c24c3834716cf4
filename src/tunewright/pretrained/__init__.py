"""Pre-trained models: the catalog, where their weights come from, and what a folder must hold."""
