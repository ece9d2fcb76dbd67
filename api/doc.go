// Package api is Baton's HTTP surface: one table of routes, the wire types they speak, and the typed client of both. It does not judge, decide or
// repair anything: it asks the parts that do, through small interfaces.
package api
