// Nothing to call: linking it is all. See icudt.c.
