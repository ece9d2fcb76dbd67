// Package config reads Baton's one configuration file, checks all of it and yields the values that the other packages take. It does not act on
// any of them, and it does not keep secrets that live in files or in the environment: those are read when they are used.
package config
