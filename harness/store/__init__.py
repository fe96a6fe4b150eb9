"""results/: one folder per run. What is written there is appended as it comes, so a kill at any moment loses nothing
that was finished.
"""
