"""The HTTP side of limbo: it accepts mails, and answers once the queue has them."""
