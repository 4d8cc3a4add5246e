// Command runboard starts long work from a web page and shows live how it goes.
package main

import "runboard/board"

func main() { board.Main() }
