// Package gen renders what repeats the tables: alerts and their unit tests, recording rules, the runbook, and the dashboards of Grafana. It does not
// read or write a file; a test of it compares what it renders with what is in the tree, and writes it when asked to.
package gen
