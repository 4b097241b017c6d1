"""The demo: a generated program, published from a process of its own through WHIP like anyone's."""
