"""`d2tra map`: what a mapping could be, read off headers and values; a person confirms it before it is used."""
