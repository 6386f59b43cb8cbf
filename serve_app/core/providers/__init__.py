"""Hosted providers: official SDKs behind one small interface, absent without their keys."""
