// Package analysis says what is wrong with a fleet: Evaluate judges one topology.Snapshot by one table of rules, and Track turns what it finds
// into incidents with a lifetime. It does not observe, read clocks, repair, or remember anything between two calls.
package analysis
