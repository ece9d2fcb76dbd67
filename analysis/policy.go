package analysis

import "time"

// Policy is what the configuration says about judging. Zero fields take the values of DefaultPolicy, except for the switches.
type Policy struct {
	LagThreshold time.Duration            `json:"lag_threshold,omitempty"` // a replica that lags more than this, its configured delay subtracted, lags
	ClusterLag   map[string]time.Duration `json:"cluster_lag,omitempty"`   // the same for single clusters
	HalfAnswers  int                      `json:"half_answers,omitempty"`  // so many half answers in a row are a finding

	// Together is how close to each other failures must begin to be one event.
	Together time.Duration `json:"together,omitempty"`
	// IsolatedAtLeast is the number of instances that must be lost together before this node suspects itself.
	IsolatedAtLeast int `json:"isolated_at_least,omitempty"`
	// A storm is more than StormPrimaries primaries down together, or StormShare of an area but no fewer than StormAtLeast.
	StormPrimaries int     `json:"storm_primaries,omitempty"`
	StormShare     float64 `json:"storm_share,omitempty"`
	StormAtLeast   int     `json:"storm_at_least,omitempty"`

	MultiWriter       bool `json:"multi_writer,omitempty"`        // co-primaries may be writable at once
	ExpectReplicas    bool `json:"expect_replicas,omitempty"`     // a primary without replicas is a finding even if it never had any
	OpenPrimary       bool `json:"open_primary,omitempty"`        // a read-only primary may be opened
	SetReadOnly       bool `json:"set_read_only,omitempty"`       // a writable replica may be made read-only
	FenceSecondWriter bool `json:"fence_second_writer,omitempty"` // of two writable co-primaries the one that does not lead may be fenced
}

// DefaultPolicy returns the defaults.
func DefaultPolicy() Policy {
	return Policy{
		LagThreshold: 10 * time.Second, HalfAnswers: 3, Together: time.Minute, IsolatedAtLeast: 3,
		StormPrimaries: 5, StormShare: 0.3, StormAtLeast: 3,
	}
}

func (p Policy) withDefaults() Policy {
	d := DefaultPolicy()
	if p.LagThreshold <= 0 {
		p.LagThreshold = d.LagThreshold
	}
	if p.HalfAnswers <= 0 {
		p.HalfAnswers = d.HalfAnswers
	}
	if p.Together <= 0 {
		p.Together = d.Together
	}
	if p.IsolatedAtLeast <= 0 {
		p.IsolatedAtLeast = d.IsolatedAtLeast
	}
	if p.StormPrimaries <= 0 {
		p.StormPrimaries = d.StormPrimaries
	}
	if p.StormShare <= 0 {
		p.StormShare = d.StormShare
	}
	if p.StormAtLeast <= 0 {
		p.StormAtLeast = d.StormAtLeast
	}
	return p
}

func (p *Policy) lagThreshold(cluster string) time.Duration {
	if t, ok := p.ClusterLag[cluster]; ok && t > 0 {
		return t
	}
	return p.LagThreshold
}
