"""A drill: made-up load on a deployed stack, and how long each stage of the answer took."""
