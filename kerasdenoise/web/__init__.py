"""The page that denoises in the browser, and the server that shows it."""
