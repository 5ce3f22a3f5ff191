"""Reading the policy document: from text to `scaling.policy.Document`, or to every problem at once. Pure."""
