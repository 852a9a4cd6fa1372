"""Dockrev's own update: its container is made anew from outside, by a helper that outlives it.

The job notes, edits and pulls as for any service. Then it writes down what is left to do
(`papers`), starts a container of the image that runs now beside its own (`helper`), and reads what
that writes (`following`), before and after it is replaced itself. The helper (`outside`) uses no
rows: by then they may be those of another version.
"""
