"""What strategies bring: on recorded outcomes of two models, and on the sandbox through a real gateway."""
