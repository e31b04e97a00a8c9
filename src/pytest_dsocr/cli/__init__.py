"""The ``dsocr`` command. Each subcommand is a module of its own, loaded when it is asked for."""
