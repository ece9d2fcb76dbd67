// Package collector asks every server the same few questions on time, remembers the answers, follows replication links to servers it has not
// met, and notices a death at once. It does not judge what it sees, and it never changes a server.
package collector
