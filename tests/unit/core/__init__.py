"""What both sides share, each module by itself."""
