"""What the gateway does with a request. No Flask, no dialect."""
