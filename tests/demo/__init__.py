"""The demo: a person gets a picture from a freshly provisioned VPS (or from the local stack)."""
