"""The API's views, about 15 lines each."""
