package mysql

import (
	"context"
	"fmt"
	"strconv"

	"github.com/batondb/baton/topology"
)

// Account is what a replica needs to connect to its source.
type Account struct {
	User, Password string

	// TLS makes the replica encrypt the connection. Without it the password is encrypted with a key that the source is asked for.
	TLS bool
}

// channelAccount is how a replica connects to its source, as the replica knows it.
type channelAccount struct {
	source  topology.InstanceID
	user    string
	secret  string
	options []string // the options of a CHANGE beside host, port, user and password
}

// learnAccount remembers how an instance connects to its source, for the day on which its source, or it itself after a promotion, must become a
// replica. It costs a round trip when a connection is opened, so that it costs none when something has to be done. Not being allowed to read it is
// no error: the account may never be needed, or be configured. MariaDB keeps it in a file.
func (a *Actor) learnAccount(ctx context.Context, s *session) {
	if s.mariaDB {
		return
	}
	answers, err := s.ask(ctx, "SELECT * FROM mysql.slave_master_info WHERE Channel_name = "+quote(s.channel))
	if err != nil || len(answers) == 0 || len(answers[0]) == 0 {
		return
	}
	r := answers[0].first()
	port, err := strconv.Atoi(r["Port"])
	if err != nil || r["User_name"] == "" {
		return
	}
	account := channelAccount{
		source: topology.NewInstanceID(r["Host"], port),
		user:   r["User_name"],
		secret: r["User_password"],
	}
	for _, o := range carriedOptions {
		switch v := r[o.column]; {
		case v == "":
		case o.number:
			if _, err := strconv.ParseUint(v, 10, 32); err == nil {
				account.options = append(account.options, s.option+o.name+"="+v)
			}
		default:
			account.options = append(account.options, s.option+o.name+"="+quote(v))
		}
	}
	if v := r["Get_public_key"]; v == "1" {
		account.options = append(account.options, "GET_"+s.option+"PUBLIC_KEY=1")
	}
	a.mu.Lock()
	a.accounts[s.instance] = account
	a.mu.Unlock()
}

// carriedOptions are the settings of a channel that a new one to the same servers takes over.
var carriedOptions = []struct {
	column, name string
	number       bool
}{
	{"Enabled_ssl", "SSL", true},
	{"Ssl_ca", "SSL_CA", false},
	{"Ssl_capath", "SSL_CAPATH", false},
	{"Ssl_cert", "SSL_CERT", false},
	{"Ssl_key", "SSL_KEY", false},
	{"Ssl_cipher", "SSL_CIPHER", false},
	{"Ssl_verify_server_cert", "SSL_VERIFY_SERVER_CERT", true},
	{"Tls_version", "TLS_VERSION", false},
	{"Public_key_path", "PUBLIC_KEY_PATH", false},
	{"Connect_retry", "CONNECT_RETRY", true},
	{"Retry_count", "RETRY_COUNT", true},
}

// accountFor finds the account with which an instance that has no channel can replicate from a source: the configured one; the one that the
// instance, or the source, used when it was a replica; the one that some replica of either of them uses. Nothing is taken from servers that have to
// do with neither, so that the password of one cluster is never given to another.
func (a *Actor) accountFor(s *session, source topology.InstanceID) (channelAccount, error) {
	if a.opts.Replication != nil {
		if given, ok := a.opts.Replication(s.instance); ok {
			return s.configured(given), nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range []topology.InstanceID{s.instance, source} {
		if account, ok := a.accounts[id]; ok {
			return account, nil
		}
	}
	for _, account := range a.accounts {
		if account.source == s.instance || account.source == source {
			return account, nil
		}
	}
	remedy := "configure the replication account, or grant SELECT on mysql.slave_master_info"
	if s.mariaDB {
		remedy = "configure the replication account"
	}
	return channelAccount{}, fmt.Errorf("the account with which it can replicate from %s is not known: %s", source, remedy)
}

func (s *session) configured(given Account) channelAccount {
	account := channelAccount{user: given.User, secret: given.Password}
	switch {
	case given.TLS:
		account.options = []string{s.option + "SSL=1"}
	case !s.mariaDB && s.version.AtLeast(8, 0, 4): // which brought the authentication that needs it
		account.options = []string{"GET_" + s.option + "PUBLIC_KEY=1"}
	}
	return account
}
