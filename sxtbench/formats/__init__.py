"""Files of other programs: volumes, labels and tilt series, read as they were meant and written as they expect."""
