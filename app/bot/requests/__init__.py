"""What people ask for: prompts, pictures, dialogues, and the one way to submit a request."""
