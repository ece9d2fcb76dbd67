// Package topology holds the nouns every other package speaks: instances, what was observed of them, the clusters they form, and Build,
// which turns observations, votes and intents into one immutable Snapshot. It does not talk to servers, read clocks or judge what is wrong.
package topology
