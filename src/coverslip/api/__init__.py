"""FastAPI lives here and nowhere else: routes, documents, one error table. Async at the edge, thin."""

from coverslip.api.app import create_app

__all__ = ["create_app"]
