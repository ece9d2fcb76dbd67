// Package mysql carries out one step of a plan on one MySQL or MariaDB server, and is the only code of Baton that changes a server. It does not
// decide anything: it does what the step says, refuses what would discard received transactions, and leaves the rest to the plan.
package mysql
