"""What happens round every update."""
