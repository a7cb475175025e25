"""What the scripts know how to do, in one package per concern; CONTRIBUTING.md lists them."""
