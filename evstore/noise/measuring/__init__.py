"""What noise a recording has: hot pixels, background, flicker, from its events alone."""
