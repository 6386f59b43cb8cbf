"""Text, pictures or both to pictures, with any diffusers pipeline that the catalog names."""
