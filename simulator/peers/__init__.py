"""FastScaler's peers, each as a pure algorithm: `now` is an argument, state is inside the object, nothing is random.

Times are in seconds. `step` returns the count to set, which may be the current one, or None: leave the count as it is.
Nothing here measures anything: whoever drives a peer says what it can see at that moment.
"""
