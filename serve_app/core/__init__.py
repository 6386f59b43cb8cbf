"""What every feature stands on, and no feature itself: errors, storage, pictures, fetching."""
