"""From a site's raw files to valid canonical tables: screen, harmonise, validate, check quality."""
