package topology

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the port of an instance that is named without one.
const DefaultPort = 3306

// InstanceID names one MySQL or MariaDB server as "host:port", with IPv6 addresses in brackets.
// The zero value names no server.
type InstanceID string

// NewInstanceID joins a host and a port. An empty host, or one that the servers print for "no host", gives the zero InstanceID.
func NewInstanceID(host string, port int) InstanceID {
	host = strings.TrimSpace(host)
	if host == "" || host == "_" || port <= 0 {
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		return InstanceID("[" + addr.String() + "]:" + strconv.Itoa(port))
	}
	return InstanceID(strings.ToLower(host) + ":" + strconv.Itoa(port))
}

// ParseInstanceID reads "host", "host:port", "[v6]:port" or a bare IPv6 address.
// A missing port becomes defaultPort. The error says what is wrong with the text.
func ParseInstanceID(text string, defaultPort int) (InstanceID, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("instance is empty: give it as host:port")
	}
	if strings.ContainsAny(text, " \t/@,") {
		return "", fmt.Errorf("instance %q: give it as host:port, without spaces, slashes, commas or a user", text)
	}
	host, port := text, defaultPort
	switch {
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", fmt.Errorf("instance %q: the bracket is not closed", text)
		}
		host = text[1:end]
		if _, err := netip.ParseAddr(host); err != nil {
			return "", fmt.Errorf("instance %q: %q is not an IPv6 address", text, host)
		}
		rest := text[end+1:]
		if rest != "" {
			p, err := parsePort(text, strings.TrimPrefix(rest, ":"))
			if err != nil || rest[0] != ':' {
				return "", fmt.Errorf("instance %q: after the bracket only :port may follow", text)
			}
			port = p
		}
	case strings.Count(text, ":") == 1:
		h, p, _ := strings.Cut(text, ":")
		n, err := parsePort(text, p)
		if err != nil {
			return "", err
		}
		host, port = h, n
	case strings.Count(text, ":") > 1:
		if _, err := netip.ParseAddr(text); err != nil {
			return "", fmt.Errorf("instance %q: an IPv6 address with a port is written [address]:port", text)
		}
	}
	if !strings.HasPrefix(text, "[") && strings.ContainsAny(host, "[]") {
		return "", fmt.Errorf("instance %q: a bracket belongs around an IPv6 address and nowhere else", text)
	}
	id := NewInstanceID(host, port)
	if id == "" {
		return "", fmt.Errorf("instance %q: the host is missing", text)
	}
	return id, nil
}

func parsePort(text, port string) (int, error) {
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("instance %q: port %q is not a number from 1 to 65535", text, port)
	}
	return n, nil
}

// Host returns the host without brackets.
func (id InstanceID) Host() string {
	s := string(id)
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		s = s[:i]
	}
	if s != "" && s[0] == '[' {
		return strings.Trim(s, "[]")
	}
	return s
}

// Port returns the port, or 0 for the zero InstanceID.
func (id InstanceID) Port() int {
	i := strings.LastIndexByte(string(id), ':')
	if i < 0 {
		return 0
	}
	n, err := strconv.Atoi(string(id[i+1:]))
	if err != nil {
		return 0
	}
	return n
}

// CompareIDs orders instances by host and then by number of port, as people expect to read them.
func CompareIDs(a, b InstanceID) int {
	if c := cmp.Compare(a.Host(), b.Host()); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Port(), b.Port()), cmp.Compare(a, b))
}
