"""Background removal with salient-object segmentation networks."""
