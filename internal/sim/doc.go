// Package sim is a fleet in memory: servers, links, clients and the part of the ledger that recoveries write, in one model that moves with the
// time it is told and breaks when it is told. It does not speak SQL, open sockets or decide anything: what is repaired is up to who drives it.
package sim
