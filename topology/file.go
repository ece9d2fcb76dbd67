package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// fileFormat is the name of the format of snapshot files, before the slash, and its version.
const (
	fileFormat  = "baton-snapshot"
	fileVersion = 1
)

// file is the content of a snapshot file.
type file struct {
	Format string `json:"format"`
	Input  Input  `json:"input"`
}

// Write writes the input of a snapshot as a snapshot file: everything that was seen and asked for, so that it can be judged again anywhere. Unlike the
// notation it loses nothing.
func Write(w io.Writer, in Input) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(file{Format: fmt.Sprintf("%s/%d", fileFormat, fileVersion), Input: in}); err != nil {
		return fmt.Errorf("write snapshot file: %w", err)
	}
	return nil
}

// Read reads a snapshot file. It refuses what it does not know rather than judge a part of what was seen.
func Read(r io.Reader) (Input, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Input{}, fmt.Errorf("read snapshot file: %w", err)
	}
	in, err := readFile(text)
	if err != nil {
		return Input{}, fmt.Errorf("read snapshot file: %w", err)
	}
	return in, nil
}

func readFile(text []byte) (Input, error) {
	// The version comes first: that a newer file also has a field that is not known is no news.
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Input{}, describe(text, err)
	}
	if err := checkFormat(head.Format); err != nil {
		return Input{}, err
	}
	var f file
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Input{}, describe(text, err)
	}
	return f.Input, checkInput(&f.Input)
}

func checkFormat(format string) error {
	version, ok := strings.CutPrefix(format, fileFormat+"/")
	n, err := strconv.ParseUint(version, 10, 32)
	switch {
	case !ok || err != nil || n == 0:
		return fmt.Errorf("it is not a snapshot file: its format is %.40q instead of \"%s/%d\"", format, fileFormat, fileVersion)
	case n > fileVersion:
		return fmt.Errorf("it is of version %d and this program reads up to version %d: use a newer one", n, fileVersion)
	}
	return nil
}

// describe says where in the text JSON went wrong.
func describe(text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(text, syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s must be %s, not %s", line(text, kind.Offset), kind.Field, kind.Type, kind.Value)
	}
	return err
}

func line(text []byte, offset int64) int {
	return 1 + strings.Count(string(text[:min(max(offset, 0), int64(len(text)))]), "\n")
}

// checkInput finds what Build would take without a word and misunderstand.
func checkInput(in *Input) error {
	if in.At.IsZero() {
		return errors.New("input.at is missing: without the time of the snapshot nothing can be judged")
	}
	if in.Nodes < 0 {
		return fmt.Errorf("input.nodes is %d, which is less than none", in.Nodes)
	}
	seen := make(map[InstanceID]bool, len(in.Observations))
	for n, o := range in.Observations {
		if err := checkID(o.Instance); err != nil {
			return fmt.Errorf("input.observations[%d].instance: %w", n, err)
		}
		if seen[o.Instance] {
			return fmt.Errorf("input.observations[%d].instance: %s is there twice", n, o.Instance)
		}
		seen[o.Instance] = true
		for m, c := range o.Facts.Channels {
			if c.Source == "" {
				continue
			}
			if err := checkID(c.Source); err != nil {
				return fmt.Errorf("input.observations[%d].facts.channels[%d].source: %w", n, m, err)
			}
		}
	}
	return nil
}

// checkID refuses an instance that is not written as this program writes it: it would not be found again.
func checkID(id InstanceID) error {
	canonical, err := ParseInstanceID(string(id), DefaultPort)
	if err == nil && canonical != id {
		err = fmt.Errorf("instance %q must be written %q", id, canonical)
	}
	return err
}
