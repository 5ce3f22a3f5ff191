"""From Application Auto Scaling's configuration of a service to a policy document. Pure: `fastscaler.aws` reads it."""
