"""The web page that denoises in the browser, and its local server."""
