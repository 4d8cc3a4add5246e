package harness

// NothingToSearch is the message for a search text without letters and digits.
const NothingToSearch = "Enter a word to search for: only letters and digits are searched, not symbols and emoji."
