"""What can drive the world: FastScaler through its real loop, and its peers."""
