package collector

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/batondb/baton/topology"
)

// A cache file is a magic line, the version of the encoding, and for each observation its length and its bytes; a length of zero ends the list,
// and a checksum of everything follows.
const (
	fileMagic      = "baton observations\n"
	maxObservation = maxParts * partSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes all observations to a file, whole or not at all.
func (c *Cache) Save(path string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save observations: %w", err)
	}
	defer os.Remove(tmp.Name())
	err = c.encode(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save observations to %s: %w", path, err)
	}
	return nil
}

func (c *Cache) encode(to io.Writer) error {
	sum := crc32.New(castagnoli)
	w := bufio.NewWriter(io.MultiWriter(to, sum))
	_, _ = w.WriteString(fileMagic) // a bufio.Writer keeps its first error
	_ = w.WriteByte(codecVersion)
	ids := c.IDs()
	slices.SortFunc(ids, topology.CompareIDs)
	for _, id := range ids {
		value, state := c.get(string(id), nil)
		if state != whole {
			continue
		}
		value = value[partHeader:]
		_, _ = w.Write(binary.AppendUvarint(nil, uint64(len(value))))
		_, _ = w.Write(value)
	}
	_ = w.WriteByte(0)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := to.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// ErrColdStart is why a file was not loaded: the cache stays as it was, which is no disaster, for every server is asked again.
var ErrColdStart = errors.New("starting cold")

// Load puts the observations of a file into the cache and returns how many they were. A file that is missing, damaged or of another version
// changes nothing; the error then is ErrColdStart with the reason.
func (c *Cache) Load(path string) (int, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: there is no file %s", ErrColdStart, path)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrColdStart, err)
	}
	defer f.Close()
	observations, err := readObservations(bufio.NewReader(f))
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrColdStart, path, err)
	}
	for i := range observations {
		c.Put(&observations[i])
	}
	return len(observations), nil
}

func readObservations(from *bufio.Reader) ([]topology.Observation, error) {
	r := &summing{r: from}
	head := make([]byte, len(fileMagic)+1)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(fileMagic)]) != fileMagic {
		return nil, errors.New("not a file of observations")
	}
	if v := head[len(fileMagic)]; v != codecVersion {
		return nil, fmt.Errorf("its version is %d and not %d", v, codecVersion)
	}
	var all []topology.Observation
	for {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, errors.New("it is cut short")
		}
		if n == 0 {
			break
		}
		if n > maxObservation {
			return nil, errors.New("it is damaged")
		}
		value, err := io.ReadAll(io.LimitReader(r, int64(n)))
		if err != nil || uint64(len(value)) != n {
			return nil, errors.New("it is cut short")
		}
		o, err := DecodeObservation(value)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	want := r.sum
	var tail [4]byte
	if _, err := io.ReadFull(from, tail[:]); err != nil || binary.BigEndian.Uint32(tail[:]) != want {
		return nil, errors.New("its checksum is wrong")
	}
	return all, nil
}

// summing computes the checksum of what is read.
type summing struct {
	r   *bufio.Reader
	sum uint32
}

func (s *summing) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.sum = crc32.Update(s.sum, castagnoli, b[:n])
	return n, err
}

func (s *summing) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.sum = crc32.Update(s.sum, castagnoli, []byte{b})
	}
	return b, err
}
