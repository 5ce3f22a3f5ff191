"""The demo with real requests: storefront processes behind HAProxy, load from wrk, and FastScaler's loop over them.

`python -m demo.app` runs it. The stand-in for AWS, the functions, and the story that they tell are those of the demo.
"""
