"""The HTTP side of limbo: takes mails, and answers only once the queue has them."""
