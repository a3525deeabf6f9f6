"""What the environment of a job tells the libraries beneath; they read it when they are loaded."""

from __future__ import annotations

# Threaded BLAS is up to twenty times slower on problems of this size.
ONE_BLAS_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "VECLIB", "NUMEXPR")
}
# polars' allocator keeps what is freed for the next span: to get it from the system anew took a sixth of a registry's time.
KEEP_MEMORY = {
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0,narenas:1",
}
ENVIRONMENT = {**ONE_BLAS_THREAD, **KEEP_MEMORY}
