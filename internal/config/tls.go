package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// The modes of TLS.
const (
	TLSDisabled  = "disabled"
	TLSPreferred = "preferred"
	TLSVerify    = "verify"
)

// Config returns what connections to servers use, nil where they are plain text. Whoever connects must fall back to plain text where Optional
// says so. A certificate of ours is read again for every connection, so that it can be renewed; the authorities are read now.
func (t *TLS) Config() (*tls.Config, error) {
	if t.Mode == TLSDisabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Mode == TLSPreferred {
		// It protects from who listens, not from who intercepts: that is what the mode promises, and no more.
		c.InsecureSkipVerify = true // #nosec G402
	} else {
		c.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file cannot be read: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		certificate, key := t.CertFile, t.KeyFile
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(certificate, key)
			if err != nil {
				return nil, fmt.Errorf("cert_file and key_file do not make a pair: %w", err)
			}
			return &pair, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return c, nil
}

// Optional reports whether a server without TLS is spoken to in plain text.
func (t *TLS) Optional() bool { return t.Mode == TLSPreferred }
