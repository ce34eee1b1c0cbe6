"""The moonshot screen as an asset."""
