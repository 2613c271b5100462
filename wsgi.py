"""gunicorn's door, and what a plain `flask run` finds first.

No patch here: gunicorn's gevent worker has patched the standard library before it comes here, and `flask run` is to
run without.
"""

from app import app

__all__ = ["app"]
