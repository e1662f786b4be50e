"""The model basin: a small closed world in which the right verdict for every request is known by construction.

It proves the machinery. It says nothing about a real model's safety.
"""
