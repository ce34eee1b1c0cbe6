"""The published copy as an asset: the last step of every weekly run."""
