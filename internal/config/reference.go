package config

import _ "embed" // of the reference below

// reference is generated from the comments and the defaults of File; see reference_test.go.
//
//go:embed baton.yaml
var reference string

// Reference returns a configuration file that holds every key with its default and says what it means. It is what an empty file means.
func Reference() string { return reference }
