"""What a person sees, and what a machine reads: one file per format."""
