// Package demo runs a whole fleet on one machine: real servers, Baton, and Prometheus and Alertmanager where they can be had. It does not test
// anything; a drill breaks one thing and reports what became of it.
package demo
