package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ClientOptions say how a Client speaks.
type ClientOptions struct {
	HTTPClient *http.Client // nil: one of its own, which follows a redirect to the leader with the body
	UserAgent  string       // empty: "baton"
}

// Client is the typed client of a Server: one method for every route. Its errors are *Error; one whose code is CodeUnreachable got no answer.
type Client struct {
	base  *url.URL
	http  *http.Client
	agent string
}

// NewClient returns a client of the server at an address such as http://127.0.0.1:8306. A path in it is kept, for servers behind a proxy.
func NewClient(base string, o ClientOptions) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fail(CodeBadRequest, "address %q: give it like http://127.0.0.1:8306", base)
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if o.UserAgent == "" {
		o.UserAgent = "baton"
	}
	return &Client{base: u, http: o.HTTPClient, agent: o.UserAgent}, nil
}

// call is one request.
type call struct {
	method string
	path   []string
	root   bool // the path is not below /api/v1
	query  url.Values
	body   any
}

func get(path ...string) call { return call{method: http.MethodGet, path: path} }

func getRoot(path ...string) call { return call{method: http.MethodGet, path: path, root: true} }

// url joins escaped path elements: a name may hold a slash.
func (c *Client) url(what call) string {
	parts := []string{strings.TrimSuffix(c.base.EscapedPath(), "/")}
	if !what.root {
		parts = append(parts, "api", "v1")
	}
	for _, p := range what.path {
		parts = append(parts, url.PathEscape(p))
	}
	out := c.base.Scheme + "://" + c.base.Host + strings.Join(parts, "/")
	if q := what.query.Encode(); q != "" {
		out += "?" + q
	}
	return out
}

// send makes a request and returns the answer of one that succeeded. The caller closes its body.
func (c *Client) send(ctx context.Context, what call) (*http.Response, error) {
	var body io.Reader
	if what.body != nil {
		encoded, err := json.Marshal(what.body)
		if err != nil {
			return nil, fail(CodeBadRequest, "encode the request: %s", err)
		}
		body = bytes.NewReader(encoded) // of a type that net/http can send again after a redirect
	}
	req, err := http.NewRequestWithContext(ctx, what.method, c.url(what), body)
	if err != nil {
		return nil, fail(CodeBadRequest, "%s", err)
	}
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.base.User != nil {
		password, _ := c.base.User.Password()
		req.SetBasicAuth(c.base.User.Username(), password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, errorIn(resp)
	}
	return resp, nil
}

// unreachable says why there was no answer, without the credentials that an address may hold.
func (c *Client) unreachable(err error) *Error {
	if in, ok := errors.AsType[*url.Error](err); ok {
		err = in.Err
	}
	at := c.base.Redacted()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(CodeUnreachable, "no answer from %s in time", at).with("is it the right address? a longer --timeout waits longer")
	case errors.Is(err, context.Canceled):
		return fail(CodeUnreachable, "given up waiting for %s", at)
	}
	return fail(CodeUnreachable, "no Baton answers at %s: %s", at, err).with("start one with baton serve, or name another with --url")
}

// errorIn reads the error of an answer. One that Baton did not write, from a proxy for example, is quoted.
func errorIn(resp *http.Response) *Error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody)) // what could not be read is missing from the message
	var e Error
	if json.Unmarshal(raw, &e) == nil && e.Code != "" {
		return &e
	}
	code := CodeInternal
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout {
		code = CodeNotReady
	}
	text := strings.TrimSpace(string(raw))
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return fail(code, "%s answers %s: %s", resp.Request.URL.Redacted(), resp.Status, text)
}

// fetch makes a request and decodes its answer.
func fetch[T any](ctx context.Context, c *Client, what call) (T, error) {
	var out T
	resp, err := c.send(ctx, what)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		if ctx.Err() != nil {
			return out, c.unreachable(ctx.Err())
		}
		return out, fail(CodeInternal, "the answer of %s is not what this version expects: %s", c.base.Redacted(), err)
	}
	return out, nil
}

// text makes a request and returns its answer as it is.
func (c *Client) text(ctx context.Context, what call) (string, error) {
	resp, err := c.send(ctx, what)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", c.base.Redacted(), err)
	}
	return string(raw), nil
}
