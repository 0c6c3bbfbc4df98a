"""A reader of the receipt format, written from docs/receipt-format.md alone."""
