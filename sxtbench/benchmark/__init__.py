"""Tasks, methods, evaluation, results and the board."""
