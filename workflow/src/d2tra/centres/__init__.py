"""Several centres, one estimate: what each may share, and how it is put together."""
