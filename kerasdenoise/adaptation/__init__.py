"""Learning from a user's own noisy photos: what they are, how to learn from them, what it gains."""
