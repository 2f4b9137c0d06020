"""Attacks: pictures, updates, webhook requests and answers that are made to do harm."""
