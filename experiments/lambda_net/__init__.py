"""The parts of `lambda_net_paper.py`: the tables printed in the paper, and the page."""
