"""What outlives a request and a worker, in one database that all workers share."""
