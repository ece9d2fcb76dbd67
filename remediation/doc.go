// Package remediation decides what to do about a finding and does it step by step: Make is pure and returns a Plan or a Refusal, Execute carries
// a plan out through one Actor, and Recover repeats observe, plan and act until the goal holds. It does not know SQL, HTTP, raft or the time.
package remediation
