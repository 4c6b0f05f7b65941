"""The judge: which of two answers serves a request better, asked blind and in both orders."""
