"""Upscaling by two, three or four with Real-ESRGAN."""
