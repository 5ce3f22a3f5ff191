"""FastScaler: a control loop that scales AWS ECS Fargate services in seconds."""
