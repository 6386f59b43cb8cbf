"""Styles: how pictures should look."""
