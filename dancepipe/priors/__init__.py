"""What is known of the result before anything is learnt."""
