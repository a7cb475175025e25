"""What the scripts know how to do: a pure core, and ``edges`` that touch the world."""
