"""What changed between two results of a study, last quarter's and this one's say: asked by `d2tra diff`."""
