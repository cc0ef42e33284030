"""What can be asked: text becomes a tree (grammar), a tree becomes numbers (plan). No model."""
