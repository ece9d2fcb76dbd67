package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// placeholder is all that is ever shown of a secret.
const placeholder = "<secret>"

// Secret is text that prints as "<secret>" however it is printed, marshalled or logged. The zero value is no secret.
type Secret struct {
	text *string // a pointer, because package fmt looks into unexported fields of structs without asking their methods
}

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns the placeholder, or "" for no secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return placeholder
}

// Format writes the placeholder for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue logs the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText writes the placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is. The placeholder is refused: it is what a printed configuration shows.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == placeholder {
		return errors.New("this is the placeholder of a printed configuration; write the password, or name a file that holds it")
	}
	*s = NewSecret(string(text))
	return nil
}

// Account is a user of the servers, and where its password is.
type Account struct {
	User     string
	password Secret
	file     string
	env      string
}

// Account returns the account with which Baton observes and repairs.
func (m *MySQL) Account() Account {
	return Account{User: m.User, password: m.Password, file: m.PasswordFile, env: m.PasswordEnv}
}

// Replication returns the account with which replicas log in at their source. Its User is empty where none is configured.
func (m *MySQL) Replication() Account {
	return Account{User: m.ReplicationUser, password: m.ReplicationPassword, file: m.ReplicationPasswordFile, env: m.ReplicationPasswordEnv}
}

// Password returns the password as it is now: a file or an environment variable is read anew by every call.
func (a Account) Password() (string, error) {
	switch {
	case a.file != "":
		raw, err := os.ReadFile(a.file)
		if err != nil {
			return "", fmt.Errorf("the password cannot be read: %w", err)
		}
		password := strings.TrimRight(string(raw), "\r\n")
		if password == "" {
			return "", fmt.Errorf("the password file %s is empty", a.file)
		}
		if strings.ContainsAny(password, "\r\n") {
			return "", fmt.Errorf("the password file %s has more than one line; it must hold the password and nothing else", a.file)
		}
		return password, nil
	case a.env != "":
		password := os.Getenv(a.env)
		if password == "" {
			return "", fmt.Errorf("the environment variable %s, which is to hold the password, is not set", a.env)
		}
		return password, nil
	}
	return a.password.Reveal(), nil
}
