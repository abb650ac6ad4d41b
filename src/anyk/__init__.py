"""Coded distributed matrix products, recovered from any k of P worker answers."""
