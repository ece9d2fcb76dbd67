// Package service wires Baton together and runs its loop: see, judge, remember, and, while this node leads, act. It does not decide what is
// wrong or what to do about it; analysis and remediation do.
package service
