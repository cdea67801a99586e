"""How good a model is: figures on folders of images, with their uncertainty."""
