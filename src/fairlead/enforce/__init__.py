"""What happens to an account: points, and the rungs of the policy's ladder."""
