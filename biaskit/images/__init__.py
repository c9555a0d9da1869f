"""Images: read safely, listed with their labels, planted with shortcuts."""
