"""A small plain-PyTorch experiment; start reading at experiment.py, then trainer.py."""
