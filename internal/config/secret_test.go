package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretIsNeverShown(t *testing.T) {
	const text = "hush-0123"
	secret := NewSecret(text)
	inside := struct {
		Open   Secret
		hidden Secret
		Any    any
		Ptr    *Secret
	}{secret, secret, secret, &secret}
	file := Default()
	file.MySQL.Password, file.MySQL.ReplicationPassword = secret, secret
	account := file.MySQL.Account()

	var out bytes.Buffer
	for _, v := range []any{secret, &secret, inside, &inside, []Secret{secret}, map[string]Secret{"a": secret}, file, &file, account, &account, file.MySQL} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.2s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := yaml.Marshal(v); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	hex := fmt.Sprintf("%x", text)
	for n, line := range strings.Split(out.String(), "\n") {
		if strings.Contains(line, text) || strings.Contains(strings.ToLower(line), hex) {
			t.Errorf("line %d shows it: %s", n, line)
		}
	}
	if got := fmt.Sprint(secret, NewSecret("")); got != "<secret> " {
		t.Errorf("a secret and no secret print as %q", got)
	}
	if got := secret.Reveal(); got != text {
		t.Errorf("Reveal returns %q", got)
	}
}

// TestPasswordIsReadAtUse changes each kind of password behind the back of a loaded configuration.
func TestPasswordIsReadAtUse(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), "first\n")
	write(t, filepath.Join(dir, "baton.yaml"), "mysql: {password_file: secret, replication_user: r, replication_password_env: BATON_TEST_PASSWORD}")
	t.Setenv("BATON_TEST_PASSWORD", "one")
	f, err := Load(filepath.Join(dir, "baton.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	account, replication := f.MySQL.Account(), f.MySQL.Replication()
	expect := func(a Account, want string) {
		t.Helper()
		if got, err := a.Password(); err != nil || got != want {
			t.Errorf("the password of %s is %q, %v, and should be %q", a.User, got, err, want)
		}
	}
	expect(account, "first")
	expect(replication, "one")
	write(t, filepath.Join(dir, "secret"), " second with blanks ")
	t.Setenv("BATON_TEST_PASSWORD", "two")
	expect(account, " second with blanks ")
	expect(replication, "two")

	literal := MySQL{User: "u", Password: NewSecret("third")}
	expect(literal.Account(), "third")
	expect(Account{User: "nobody"}, "")
}

func TestPathsBeginAtTheFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "baton.yaml"), "data_dir: data")
	f, err := Load(filepath.Join(dir, "baton.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "data"); f.DataDir != want {
		t.Errorf("data_dir is %s, want %s", f.DataDir, want)
	}
	if want := filepath.Join(dir, "data", "ledger"); f.LedgerOptions(nil).Dir != want {
		t.Errorf("the directory of the ledger is %s, want %s", f.LedgerOptions(nil).Dir, want)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	makePair(t, dir)
	for _, c := range []struct {
		mode           string
		optional, none bool
		unverified     bool
	}{
		{TLSDisabled, false, true, false},
		{TLSPreferred, true, false, true},
		{TLSVerify, false, false, false},
	} {
		t.Run(c.mode, func(t *testing.T) {
			conf := TLS{Mode: c.mode}
			if c.mode == TLSVerify {
				conf.CAFile, conf.ServerName = filepath.Join(dir, "c.pem"), "mysql"
			}
			if c.mode != TLSDisabled {
				conf.CertFile, conf.KeyFile = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
			}
			got, err := conf.Config()
			if err != nil {
				t.Fatal(err)
			}
			if conf.Optional() != c.optional || (got == nil) != c.none {
				t.Fatalf("optional is %v, and the configuration %v", conf.Optional(), got)
			}
			if got == nil {
				return
			}
			if got.InsecureSkipVerify != c.unverified || got.MinVersion != tls.VersionTLS12 {
				t.Errorf("unverified is %v, and the least version %x", got.InsecureSkipVerify, got.MinVersion)
			}
			if c.mode == TLSVerify && (got.ServerName != "mysql" || got.RootCAs == nil) {
				t.Errorf("the server is verified as %q by %v", got.ServerName, got.RootCAs)
			}
			first, err := got.GetClientCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			makePair(t, dir)
			second, err := got.GetClientCertificate(nil)
			if err != nil || bytes.Equal(first.Certificate[0], second.Certificate[0]) {
				t.Errorf("a renewed certificate is not used: %v", err)
			}
		})
	}
}

// makePair writes a certificate and its key.
func makePair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "c.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, "k.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
}
