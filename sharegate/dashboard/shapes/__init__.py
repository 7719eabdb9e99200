"""What the owner's API answers, as types: the served document is made of them, and real answers are checked by them."""
