"""Price books: where offers and prices come from, and what is left out of them."""
