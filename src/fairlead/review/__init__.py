"""What people say: reviewers' verdicts, how well they agree, and what follows from them."""
