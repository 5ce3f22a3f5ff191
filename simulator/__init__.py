"""A simulated ECS service, second by second, and the autoscalers that run on it.

Never deployed, and never imported by the library.
"""
