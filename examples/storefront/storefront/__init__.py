"""The storefront: a small web application to scale. `uvicorn --factory storefront.app:create_app` serves it."""
