"""Tables of results: each module makes one, as cells; `TABLES` lists them."""
