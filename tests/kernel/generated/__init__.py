"""A small stage with cached cases, for the tests of the kernel. It behaves badly on request."""
