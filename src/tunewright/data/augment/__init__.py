"""Views: training rows changed a little, so that their labels stay true."""
