"""Reading what people bring, and measuring what we made."""
