"""Opinion surveys that go with an audit: a codebook, the answers, and what they come to. docs/surveys.md explains them."""
