"""Volumes, contours, doses: arrays in, arrays out. Arrays are (z, y, x); points are (x, y, z) in mm, LPS."""
