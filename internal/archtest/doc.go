// Package archtest holds the architecture of this module to its word: who may import whom, what is pure, and how large a piece of code may be. It
// does not look at behaviour, and it needs nothing but the sources: its test runs wherever the module's tests do.
package archtest
