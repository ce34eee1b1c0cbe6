"""DefiLlama: protocols, TVL, fees, volumes, stablecoins, yields, and the unlock schedules of its datasets host.

Belongs here: one module a subject, `wire.py` for what they share. Does not: which protocols are asked, landing
(`orchestration/lib/loads`). Keyless; limits are not published, so stay at two requests a second. Attribution is due, the
licence of the data is unclear: check before passing them on.
"""
