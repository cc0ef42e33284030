"""Answer a query: plan it, score every image, combine, calibrate, present the best."""
