"""What produced the figures in the README; none of it is deployed."""
