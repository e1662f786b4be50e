"""The door: who asks, may they, what does the policy say of the request and of the answer. Fails closed, records each."""
