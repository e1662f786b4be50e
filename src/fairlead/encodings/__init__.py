"""Ways to disguise a text and to read it again: used by the judge's views and by the red team's transforms. Pure."""
