"""The adapters to AWS: the only modules that import boto3. AWS's errors end here, as `fastscaler.errors`."""
