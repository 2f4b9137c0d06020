"""What people are shown: results, where their requests stand, buttons."""
