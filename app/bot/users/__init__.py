"""Who there is: what they have chosen, who is served first or not at all, what admins do."""
