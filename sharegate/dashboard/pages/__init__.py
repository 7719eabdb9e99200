"""The pages that owners and admins see in their browser."""
