"""The demo: traffic by the official client, a screen that shows the loop at work, and a report of what it achieved."""

from gateway.demo.play import play

__all__ = ["play"]
