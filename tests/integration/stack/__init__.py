"""The stack without systemd."""
