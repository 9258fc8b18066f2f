"""What a mail is: its fields, its rules and its id."""
