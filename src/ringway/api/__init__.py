"""Small HTTP APIs: operations, their OpenAPI document, and the port that answers them."""
