"""The embedded engine: Diva's circuits as modules, one file each, and what plays them."""
