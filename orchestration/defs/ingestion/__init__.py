"""Assets that land what the providers say; nothing is cleaned or joined here."""
