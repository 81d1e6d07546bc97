"""One file a page: request → store call → context."""
