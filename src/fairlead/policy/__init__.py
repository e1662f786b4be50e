"""What should be: the policy file, its schema, its small language, its renderings. Pure but for reading the file."""
