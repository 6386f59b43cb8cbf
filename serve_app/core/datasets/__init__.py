"""Pictures to train from: archives of them, checked before anything is spent on them."""

from serve_app.core.datasets.errors import Problem, UnusableDataset
from serve_app.core.datasets.reading import Dataset, DatasetPicture, read_dataset

__all__ = ["Dataset", "DatasetPicture", "Problem", "UnusableDataset", "read_dataset"]
