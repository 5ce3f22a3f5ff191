"""The demo: FastScaler's real handlers against a stand-in for AWS on this machine. `python -m demo` runs it.

`local_aws.py` is the stand-in; the integration tests use it too. Nothing in this package is deployed.
"""
