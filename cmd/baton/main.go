// Command baton is all of Baton in one binary: serve is the service, demo a whole fleet on one machine, and every other command a client of the
// service. It does not judge or decide anything outside of serve and demo: a client fetches, prints and asks.
package main

import "os"

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
