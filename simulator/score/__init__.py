"""What a run was worth: requests, tasks, money, and how well the tasks followed the load."""
