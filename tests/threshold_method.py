"""A method in a file, as a user has one."""

from typing import Any


class Threshold:
    name = "threshold"

    def predict(self, sample: Any) -> Any:
        return (sample.reconstructions["fbp"] > 0.2).astype("uint8")
