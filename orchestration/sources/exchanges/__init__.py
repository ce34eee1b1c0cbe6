"""Exchanges through ccxt: spot markets, candles, tickers and order books; funding and open interest of perpetuals.

Belongs here: requests, columns and traps of each venue, one way of asking for all. Does not: which venue is asked about
which token (`orchestration/lib/loads`), our own HTTP client (`http.py`), datasets (`datasets/exchanges.py`).
"""
