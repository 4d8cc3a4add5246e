package harness

const NothingToSearch = "Enter a word to search for: only letters and digits are searched, not symbols and emoji."
