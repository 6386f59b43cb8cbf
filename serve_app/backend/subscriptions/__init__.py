"""Subscriptions: an organization's tier, period and credits."""
