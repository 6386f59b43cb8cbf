"""Webhooks: events sent to an organization's own servers, signed (standardwebhooks.com)."""
