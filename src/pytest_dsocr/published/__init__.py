"""The published tables as data, and each of their rows reproduced or explained."""
