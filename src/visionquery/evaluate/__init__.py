"""How good an ordering is: recall@k, hit_rate@k, MRR, nDCG@k, AP. Pure functions over ranks."""
