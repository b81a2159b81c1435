"""The contestants: each module a way to do something, each function a contestant."""
