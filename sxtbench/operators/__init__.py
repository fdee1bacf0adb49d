"""Linear operators and their exact adjoints."""
