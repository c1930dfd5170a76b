"""View models, charts, sentences, pages: built from cleared releases only. Cannot open a vault."""
