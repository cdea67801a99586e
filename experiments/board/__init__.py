"""The parts of `leaderboard.py`: trials, filters, costs, pictures and the page."""
