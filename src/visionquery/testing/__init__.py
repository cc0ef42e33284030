"""What programs built on VisionQuery can test with: a small real model, and lists of checks."""
